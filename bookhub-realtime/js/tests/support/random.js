// Random numbers that a seed repeats.

/** The seed of this run: `BOOKHUB_TEST_SEED`, or 1. */
export const SEED = Number(process.env.BOOKHUB_TEST_SEED ?? 1);

/** A function that gives whole numbers from 0 to below its argument. */
export const generator = (t, seed = SEED) => {
  t.diagnostic(`BOOKHUB_TEST_SEED=${seed}`);
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
};
