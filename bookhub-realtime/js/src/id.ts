// Ids: `<epoch>-<position>`, where the first character of a position is the number of its digits, so
// that the ids of one epoch sort as text. Knows nothing else.

/** Whether this is an id as the hub writes them. */
export const isId = (id: unknown): id is string => {
  const parts = typeof id === 'string' && /^\w{1,32}-([1-9a-w])([\da-f]+)$/.exec(id);
  return !!parts && parseInt(parts[1], 36) === parts[2].length;
};

/** Whether both are of one life of the log. */
export const sameEpoch = (a: string, b: string): boolean => a.split('-')[0] === b.split('-')[0];
