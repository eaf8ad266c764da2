// What the platform may have or not have.

/** The global object, of which everything may be missing. */
export const env: Partial<typeof globalThis> = globalThis;
