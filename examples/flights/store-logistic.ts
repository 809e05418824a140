// Logistic regression through the store: a table of one weight per key.
//
// A flight is a bag of fifteen keys. Its logit is the sum of their weights, which is a pooled
// lookup, and its error is the gradient of each of them, which is a pooled push.

import { adagrad, type Store, type Table, zeros } from 'hotrow'
import type { AheadModel } from './ahead.ts'
import type { Flights } from './data.ts'
import { FIELD_COUNT } from './features.ts'
import { KeyMaker } from './keys.ts'
import { EPSILON, INITIAL_ACCUMULATOR, LEARNING_RATE } from './settings.ts'
import { BATCH_SIZE, type Model, type Size, tableSize } from './train.ts'

export class StoreLogistic implements Model<BigUint64Array>, AheadModel {
  readonly #table: Table
  readonly #keys: KeyMaker
  readonly #offsets = Uint32Array.from({ length: BATCH_SIZE + 1 }, (_, bag) => bag * FIELD_COUNT)
  readonly #logits = new Float32Array(BATCH_SIZE)

  private constructor(table: Table, flights: Flights) {
    this.#table = table
    this.#keys = new KeyMaker(flights)
  }

  static async create(store: Store, flights: Flights): Promise<StoreLogistic> {
    const table = await store.table('logistic', {
      dim: 1,
      initializer: zeros(),
      optimizer: adagrad({
        learningRate: LEARNING_RATE,
        initialAccumulator: INITIAL_ACCUMULATOR,
        epsilon: EPSILON,
      }),
    })
    return new StoreLogistic(table, flights)
  }

  size(): Promise<Size> {
    return tableSize(this.#table)
  }

  prepare(start: number, end: number): BigUint64Array {
    return this.#keys.keys(start, end)
  }

  get table(): Table {
    return this.#table
  }

  logits(weights: Float32Array): Float32Array {
    const logits = this.#logits.subarray(0, weights.length / FIELD_COUNT).fill(0)
    for (let i = 0; i < weights.length; i++) logits[Math.floor(i / FIELD_COUNT)]! += weights[i]!
    return logits
  }

  gradients(weights: Float32Array, errors: Float32Array): Float32Array {
    return weights.map((_, i) => errors[Math.floor(i / FIELD_COUNT)]!)
  }

  predict(keys: BigUint64Array): Promise<Float32Array> {
    const bags = keys.length / FIELD_COUNT
    const out = this.#logits.subarray(0, bags)
    return this.#table.lookupPooled(keys, this.#offsets.subarray(0, bags + 1), { mode: 'sum', out })
  }

  learn(keys: BigUint64Array, errors: Float32Array): Promise<void> {
    const offsets = this.#offsets.subarray(0, errors.length + 1)
    return this.#table.pushPooled(keys, offsets, errors, { mode: 'sum' })
  }
}
