/** The keys of a batch that the local table had no row of, and where their rows go. */
import type { RemoteRow } from './flights.ts'

/** What the local table has answered. */
export interface Local {
  readonly rows: Float32Array
  readonly found: Uint8Array
}

export interface Misses {
  /** [m], each once. */
  readonly keys: BigUint64Array
  /** Positions in the batch that had no row, and for each the place of its key in `keys`. */
  readonly positions: readonly number[]
  readonly places: readonly number[]
}

/** What the batch missed. */
export function distinctMisses(keys: BigUint64Array, found: Uint8Array): Misses {
  const placeOf = new Map<bigint, number>()
  const positions: number[] = []
  const places: number[] = []
  for (let i = 0; i < keys.length; i++) {
    const bits = found[i >> 3] as number
    // Batches mostly hit.
    if (bits === 0xff && (i & 7) === 0) {
      i += 7
      continue
    }
    if ((bits >> (i & 7)) & 1) continue
    const key = keys[i] as bigint
    const known = placeOf.get(key)
    if (known === undefined) placeOf.set(key, placeOf.size)
    places.push(known ?? placeOf.size - 1)
    positions.push(i)
  }
  return { keys: BigUint64Array.from(placeOf.keys()), positions, places }
}

/** Copies rows to all their positions and sets their bits; how many positions had a row. */
export function placeRows(rows: readonly RemoteRow[], misses: Misses, local: Local): number {
  const out = new Uint8Array(local.rows.buffer, local.rows.byteOffset, local.rows.byteLength)
  let hits = 0
  for (const [i, position] of misses.positions.entries()) {
    const row = rows[misses.places[i] as number]
    if (row === undefined) continue
    out.set(row, position * row.byteLength)
    local.found[position >> 3]! |= 1 << (position & 7)
    hits++
  }
  return hits
}
