// The factorisation machine over flat arrays: the limit for the same model through the store.
//
// All ids are numbered in advance, so a row of weights is one array access away.

import { fillNormal } from '../common/random.ts'
import { FIELD_COUNT } from './features.ts'
import { addFmGradients, fmLogits, ROW } from './fm.ts'
import type { NumberedIds } from './ids.ts'
import { EPSILON, FACTORS, INITIAL_ACCUMULATOR, INITIAL_STDDEV, LEARNING_RATE } from './settings.ts'
import { BATCH_SIZE, type Model, type Size } from './train.ts'

const FEATURES = BATCH_SIZE * FIELD_COUNT

export class FlatFm implements Model<Uint32Array> {
  readonly #ids: NumberedIds
  readonly #weights: Float32Array
  readonly #accumulators: Float32Array
  /** Per id: its number among the batch's different ids, from one; 0 when it is not in it. */
  readonly #position: Uint32Array

  readonly #places = new Uint32Array(FEATURES)
  readonly #targets = new Uint32Array(FEATURES)
  readonly #touched = new Uint32Array(FEATURES)
  readonly #gradients = new Float32Array(FEATURES * ROW)
  readonly #sums = new Float32Array(BATCH_SIZE * FACTORS)
  readonly #logits = new Float32Array(BATCH_SIZE)

  constructor(ids: NumberedIds) {
    this.#ids = ids
    this.#weights = new Float32Array(ids.count * ROW)
    this.#accumulators = new Float32Array(ids.count * ROW).fill(INITIAL_ACCUMULATOR)
    this.#position = new Uint32Array(ids.count)
    fillNormal(this.#weights, INITIAL_STDDEV, 1)
  }

  size(): Size {
    const arrays = [this.#weights, this.#accumulators, this.#position]
    const bytes = arrays.reduce((sum, array) => sum + array.byteLength, 0)
    return { ids: this.#ids.count, bytes }
  }

  prepare(start: number, end: number): Uint32Array {
    return this.#ids.ids.subarray(start * FIELD_COUNT, end * FIELD_COUNT)
  }

  predict(ids: Uint32Array): Float32Array {
    const places = this.#places.subarray(0, ids.length)
    for (let i = 0; i < ids.length; i++) places[i] = ids[i]! * ROW
    fmLogits(this.#weights, places, this.#sums, this.#logits)
    return this.#logits
  }

  learn(ids: Uint32Array, errors: Float32Array): void {
    const count = this.#findDuplicates(ids)
    const gradients = this.#gradients.fill(0, 0, count * ROW)
    addFmGradients(this.#weights, this.#places, errors, this.#sums, this.#targets, gradients)
    this.#adagrad(count)
  }

  /** Gives equal ids one place to sum their gradients in; returns how many different there are. */
  #findDuplicates(ids: Uint32Array): number {
    const position = this.#position
    const targets = this.#targets
    const touched = this.#touched
    let count = 0
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      if (position[id] === 0) {
        touched[count++] = id
        position[id] = count
      }
      targets[i] = (position[id]! - 1) * ROW
    }
    return count
  }

  #adagrad(count: number): void {
    const weights = this.#weights
    const accumulators = this.#accumulators
    const gradients = this.#gradients
    for (let i = 0, from = 0; i < count; i++) {
      const id = this.#touched[i]!
      this.#position[id] = 0
      for (let at = id * ROW, end = at + ROW; at < end; at++, from++) {
        const gradient = gradients[from]!
        const accumulator = accumulators[at]! + gradient * gradient
        const step = (LEARNING_RATE * gradient) / (Math.sqrt(accumulator) + EPSILON)
        accumulators[at] = accumulator
        weights[at] = weights[at]! - step
      }
    }
  }
}
