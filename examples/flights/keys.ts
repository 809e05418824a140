// Turns rows of the data into keys for the store: the field's number over the field's feature.

import { setSlotKey } from 'hotrow'
import type { Flights } from './data.ts'
import { FIELD_COUNT, features } from './features.ts'
import { BATCH_SIZE } from './train.ts'

/** Makes keys batch by batch; what it returned stays as it is until the call after next. */
export class KeyMaker {
  readonly #flights: Flights
  readonly #features = new Uint32Array(FIELD_COUNT)
  // Two buffers take turns: one batch's keys are made while the other batch is being learned.
  #current = new BigUint64Array(BATCH_SIZE * FIELD_COUNT)
  #other = new BigUint64Array(BATCH_SIZE * FIELD_COUNT)

  constructor(flights: Flights) {
    this.#flights = flights
  }

  /** @returns the keys of rows [start, end), a flight's fields side by side */
  keys(start: number, end: number): BigUint64Array {
    const keys = this.#other
    this.#other = this.#current
    this.#current = keys
    // Writing a BigInt per key would allocate it; the two halves of a key are plain numbers.
    const words = new Uint32Array(keys.buffer)
    const row = this.#features
    for (let r = start, at = 0; r < end; r++) {
      features(this.#flights, r, row)
      for (let field = 0; field < FIELD_COUNT; field++) {
        setSlotKey(words, at++, field, row[field]!)
      }
    }
    return keys.subarray(0, (end - start) * FIELD_COUNT)
  }
}
