// The factorisation machine through the store: a table of rows [w, v_0 .. v_7].
//
// The rows of a batch are looked up, the arithmetic is done here, and the gradients are pushed
// key by key; the store sums those of equal keys and runs the optimizer once for each.

import { adagrad, normal, type Store, type Table } from 'hotrow'
import type { AheadModel } from './ahead.ts'
import type { Flights } from './data.ts'
import { FIELD_COUNT } from './features.ts'
import { addFmGradients, fmLogits, ROW } from './fm.ts'
import { KeyMaker } from './keys.ts'
import { EPSILON, FACTORS, INITIAL_ACCUMULATOR, INITIAL_STDDEV, LEARNING_RATE } from './settings.ts'
import { BATCH_SIZE, type Model, type Size, tableSize } from './train.ts'

const FEATURES = BATCH_SIZE * FIELD_COUNT

export class StoreFm implements Model<BigUint64Array>, AheadModel {
  readonly #table: Table
  readonly #keys: KeyMaker
  // Row i of a batch belongs to its key i, in the buffer of rows and in that of gradients.
  readonly #places = Uint32Array.from({ length: FEATURES }, (_, i) => i * ROW)
  readonly #rows = new Float32Array(FEATURES * ROW)
  readonly #gradients = new Float32Array(FEATURES * ROW)
  readonly #sums = new Float32Array(BATCH_SIZE * FACTORS)
  readonly #logits = new Float32Array(BATCH_SIZE)

  private constructor(table: Table, flights: Flights) {
    this.#table = table
    this.#keys = new KeyMaker(flights)
  }

  static async create(store: Store, flights: Flights): Promise<StoreFm> {
    const table = await store.table('fm', {
      dim: ROW,
      initializer: normal(INITIAL_STDDEV),
      optimizer: adagrad({
        learningRate: LEARNING_RATE,
        initialAccumulator: INITIAL_ACCUMULATOR,
        epsilon: EPSILON,
      }),
    })
    return new StoreFm(table, flights)
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

  logits(rows: Float32Array): Float32Array {
    fmLogits(rows, this.#places.subarray(0, rows.length / ROW), this.#sums, this.#logits)
    return this.#logits
  }

  gradients(rows: Float32Array, errors: Float32Array): Float32Array {
    const gradients = new Float32Array(rows.length)
    addFmGradients(rows, this.#places, errors, this.#sums, this.#places, gradients)
    return gradients
  }

  async predict(keys: BigUint64Array): Promise<Float32Array> {
    const rows = await this.#table.lookup(keys, { out: this.#rows.subarray(0, keys.length * ROW) })
    return this.logits(rows)
  }

  learn(keys: BigUint64Array, errors: Float32Array): Promise<void> {
    const gradients = this.#gradients.subarray(0, keys.length * ROW).fill(0)
    addFmGradients(this.#rows, this.#places, errors, this.#sums, this.#places, gradients)
    return this.#table.push(keys, gradients)
  }
}
