// What the model is and how it learns.

import { adagrad, adam } from 'hotrow'

export const BATCH_SIZE = 128
export const SEED = 1

/** Values per row of the table of categories. */
export const DIM = 8
export const INITIAL_STDDEV = 0.1
export const CATEGORY_OPTIMIZER = adagrad({ learningRate: 0.05 })

/** Outputs of the layers before the last, which has one. */
export const HIDDEN = [64, 32]
export const LAYER_OPTIMIZER = adam({ learningRate: 0.003 })
