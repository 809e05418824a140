// What the models, the places to keep them and the programs share.

export const LEARNING_RATE = 0.05
export const INITIAL_ACCUMULATOR = 0.1
export const EPSILON = 1e-10

/** Factors per feature in the factorisation machine, and the spread they start with. */
export const FACTORS = 8
export const INITIAL_STDDEV = 0.01

/** For whom several trainers wait (`store.worker`). */
export const SYNC_MODES = ['async', 'bounded', 'bulk'] as const
export type SyncMode = (typeof SYNC_MODES)[number]
/** Of 'bounded': how many steps a trainer may be ahead of the slowest. */
export const STALENESS = 4
