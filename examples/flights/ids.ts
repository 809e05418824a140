// Numbers every feature of the data in advance, in order of first appearance.
//
// This is what a model over flat arrays needs and a store does not: a first pass over all of the
// data, before the first flight can be learned.

import type { Flights } from './data.ts'
import { FIELD_COUNT, FIELDS, features } from './features.ts'

export interface NumberedIds {
  /** [rows × FIELD_COUNT] */
  readonly ids: Uint32Array
  readonly count: number
}

export function numberIds(flights: Flights): NumberedIds {
  // 0 means not yet seen, so the tables hold the number plus one.
  const numbers = FIELDS.map(([, size]) => new Uint32Array(size))
  const row = new Uint32Array(FIELD_COUNT)
  const ids = new Uint32Array(flights.rows * FIELD_COUNT)
  let count = 0
  for (let r = 0, at = 0; r < flights.rows; r++) {
    features(flights, r, row)
    for (let field = 0; field < FIELD_COUNT; field++) {
      const table = numbers[field]!
      const feature = row[field]!
      if (table[feature] === 0) table[feature] = ++count
      ids[at++] = table[feature]! - 1
    }
  }
  return { ids, count }
}
