// Logistic regression over flat arrays: the limit for the same model through the store.
//
// All ids are numbered in advance, so a weight is one array access away.

import { FIELD_COUNT } from './features.ts'
import type { NumberedIds } from './ids.ts'
import { EPSILON, INITIAL_ACCUMULATOR, LEARNING_RATE } from './settings.ts'
import { BATCH_SIZE, type Model, type Size } from './train.ts'

// One id takes four neighbouring floats, so that a learned id touches one cache line:
// weight, accumulator, the batch's summed gradient, and 1 while the id is on the batch's list.
const STRIDE = 4

export class FlatLogistic implements Model<Uint32Array> {
  readonly #ids: NumberedIds
  readonly #state: Float32Array
  readonly #logits = new Float32Array(BATCH_SIZE)
  readonly #touched = new Uint32Array(BATCH_SIZE * FIELD_COUNT)

  constructor(ids: NumberedIds) {
    this.#ids = ids
    this.#state = new Float32Array(ids.count * STRIDE)
    for (let id = 0; id < ids.count; id++) this.#state[id * STRIDE + 1] = INITIAL_ACCUMULATOR
  }

  size(): Size {
    return { ids: this.#ids.count, bytes: this.#state.byteLength }
  }

  prepare(start: number, end: number): Uint32Array {
    return this.#ids.ids.subarray(start * FIELD_COUNT, end * FIELD_COUNT)
  }

  predict(ids: Uint32Array): Float32Array {
    const state = this.#state
    const logits = this.#logits
    const rows = ids.length / FIELD_COUNT
    for (let row = 0, at = 0; row < rows; row++) {
      let sum = 0
      for (const end = at + FIELD_COUNT; at < end; at++) {
        sum += state[ids[at]! * STRIDE]!
      }
      logits[row] = sum
    }
    return logits
  }

  learn(ids: Uint32Array, errors: Float32Array): void {
    const touched = this.#touched
    const count = this.#sumGradients(ids, errors)
    const state = this.#state
    for (let i = 0; i < count; i++) {
      const at = touched[i]!
      const gradient = state[at + 2]!
      const accumulator = state[at + 1]! + gradient * gradient
      state[at + 1] = accumulator
      state[at] = state[at]! - (LEARNING_RATE * gradient) / (Math.sqrt(accumulator) + EPSILON)
      state[at + 2] = 0
      state[at + 3] = 0
    }
  }

  /** Sums the gradients of equal ids; returns how many different ids there are. */
  #sumGradients(ids: Uint32Array, errors: Float32Array): number {
    const state = this.#state
    const touched = this.#touched
    let count = 0
    for (let row = 0, i = 0; row < errors.length; row++) {
      const error = errors[row]!
      for (const end = i + FIELD_COUNT; i < end; i++) {
        const at = ids[i]! * STRIDE
        if (state[at + 3] === 0) {
          state[at + 3] = 1
          touched[count++] = at
        }
        state[at + 2] = state[at + 2]! + error
      }
    }
    return count
  }
}
