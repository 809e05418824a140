// What the model is and how it learns. The figures were found by trying: what matters most is the
// pull towards zero (L2) and that the steps die away; more negatives or epochs add little.

/** Values per user and per item; that of the published models. */
export const DIM = 64
export const SEED = 1

/** Users per batch, each with up to this many of its items, drawn anew for each epoch. */
export const USERS_PER_BATCH = 128
export const POSITIVES_PER_USER = 32
/** Items drawn per batch, which every user of it is taught to rank below its own. */
export const NEGATIVES_PER_BATCH = 512

export const EPOCHS = 30
export const LEARNING_RATE = 0.2
/** Small, so that the first gradients count: rows begin with long steps. */
export const INITIAL_ACCUMULATOR = 0.001
export const INITIAL_STDDEV = 0.1
export const L2 = 0.2

/** How many items a ranking holds: the 20 of Recall@20. */
export const TOP = 20
