// What both models and both places to keep them share.

export const LEARNING_RATE = 0.05
export const INITIAL_ACCUMULATOR = 0.1
export const EPSILON = 1e-10

/** Factors per feature in the factorisation machine, and the spread they start with. */
export const FACTORS = 8
export const INITIAL_STDDEV = 0.01
