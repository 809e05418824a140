// Where the model lives: one table of users and one of items, in a store that has a name, so that
// every thread of the process that opens it gets the same.

import { normal, open, rowwiseAdagrad, type Store, type Table } from 'hotrow'
import { DIM, INITIAL_ACCUMULATOR, INITIAL_STDDEV, LEARNING_RATE, SEED } from './settings.ts'

export interface Model {
  readonly store: Store
  readonly users: Table
  readonly items: Table
}

export async function openModel(): Promise<Model> {
  const store = await open(':memory:gowalla')
  const options = {
    dim: DIM,
    initializer: normal(INITIAL_STDDEV),
    optimizer: rowwiseAdagrad({
      learningRate: LEARNING_RATE,
      initialAccumulator: INITIAL_ACCUMULATOR,
    }),
  }
  return {
    store,
    users: await store.table('user', { ...options, seed: SEED }),
    items: await store.table('item', { ...options, seed: SEED + 1 }),
  }
}
