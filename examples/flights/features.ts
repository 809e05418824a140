// The fifteen fields of a flight: what a row of the data becomes for a model.
//
// A field's feature is a small integer, made from the columns by place value. Nothing is counted,
// hashed or looked up: the store takes such integers as they are, under the field's number.

import type { Flights } from './data.ts'

const AIRPORTS = 256
const HOURS = 24
const WEEKDAYS = 7
const DAYS = 182 // January to June, and the night after
const DISTANCES = 64

/** Names of the fields and how many features each can have. × is a cross of fields. */
export const FIELDS: readonly (readonly [name: string, size: number])[] = [
  ['origin', AIRPORTS],
  ['destination', AIRPORTS],
  ['hour', HOURS],
  ['weekday', WEEKDAYS],
  ['origin × destination', AIRPORTS * AIRPORTS],
  ['distance', DISTANCES],
  ['origin × hour', AIRPORTS * HOURS],
  ['destination × hour', AIRPORTS * HOURS],
  ['origin × destination × hour', AIRPORTS * AIRPORTS * HOURS],
  ['origin × day', AIRPORTS * DAYS],
  ['destination × day', AIRPORTS * DAYS],
  ['origin × day × hour', AIRPORTS * DAYS * HOURS],
  ['destination × day × hour', AIRPORTS * DAYS * HOURS],
  ['day', DAYS],
  ['day × hour', DAYS * HOURS],
]

export const FIELD_COUNT = FIELDS.length

/** Writes the features of one flight to `out` [FIELD_COUNT], in the order of FIELDS. */
export function features(flights: Flights, row: number, out: Uint32Array): void {
  const origin = flights.origin[row]!
  const destination = flights.destination[row]!
  const hour = flights.hour[row]!
  const day = flights.day[row]!
  const route = origin * AIRPORTS + destination
  const moment = day * HOURS + hour
  out[0] = origin
  out[1] = destination
  out[2] = hour
  out[3] = day % WEEKDAYS
  out[4] = route
  out[5] = flights.distance[row]!
  out[6] = origin * HOURS + hour
  out[7] = destination * HOURS + hour
  out[8] = route * HOURS + hour
  out[9] = day * AIRPORTS + origin
  out[10] = day * AIRPORTS + destination
  out[11] = moment * AIRPORTS + origin
  out[12] = moment * AIRPORTS + destination
  out[13] = day
  out[14] = moment
}
