// What every contender holds and is asked for, made from seeds alone: each contender's process
// makes the same rows and the same keys, and nothing large travels between processes.
//
// Keys fit 31 bits, because JavaScript's Map and lmdb are at their best with small integers; the
// store hashes all 64 bits of any key.

import { uniformSource } from '../examples/common/random.ts'

export type KeyChoice = 'uniform' | 'zipf'
export const ZIPF_EXPONENT = 0.99

/** Keys in a bag of pooled lookups. */
export const BAG_KEYS = 8

// Keys over all sets of one batch size: at 64 bytes a row and more they touch far more than the
// caches hold. Fewer sets for single keys, where the arrays themselves would fill memory.
const KEYS_OF_ALL_SETS = 2 ** 19
const MOST_SETS = 2 ** 17
const FEWEST_SETS = 8

/** The key of row number `row`: a permutation of the 31-bit integers, in no useful order. */
export function keyOfRow(row: number): number {
  return Math.imul(row, 0x9e3779b1) & 0x7fffffff
}

/** The value at `column` of row number `row`; exact in f32 up to column 255. */
export function rowValue(row: number, column: number): number {
  return (row & 0xffff) + column / 256
}

/** Fills `out` with the rows numbered `first` and on, until it is full. */
export function fillRows(out: Float32Array, first: number, dim: number): void {
  for (let i = 0, row = first; i < out.length; row++) {
    for (let column = 0; column < dim; column++) out[i++] = rowValue(row, column)
  }
}

/** Batches of keys, to be asked for in turn and round again. */
export interface KeySets {
  readonly batch: number
  readonly sets: number
  /** [sets * batch] the row number of each key, and the key. */
  readonly rows: Uint32Array
  readonly keys: Uint32Array
}

/** Key sets over `rows` rows; the same for the same arguments. */
export function keySets(batch: number, choice: KeyChoice, rows: number): KeySets {
  const sets = Math.min(MOST_SETS, Math.max(FEWEST_SETS, KEYS_OF_ALL_SETS / Math.max(1, batch)))
  const uniform = uniformSource(20_070 + batch)
  const draw = choice === 'uniform' ? () => Math.floor(uniform() * rows) : zipf(rows, uniform)
  const numbers = Uint32Array.from({ length: sets * batch }, draw)
  return { batch, sets, rows: numbers, keys: numbers.map(keyOfRow) }
}

/** Cuts [sets * width] into its sets. */
export function cut<T extends { subarray(begin: number, end: number): T }>(
  flat: T,
  sets: number,
  width: number,
): T[] {
  return Array.from({ length: sets }, (_, i) => flat.subarray(i * width, (i + 1) * width))
}

/** Steps through 0 … sets - 1 and round again. */
export function cycle(sets: number): () => number {
  let next = 0
  return () => {
    const set = next
    next = next + 1 < sets ? next + 1 : 0
    return set
  }
}

/** The bags of a batch: [bags + 1] offsets. The last bag takes what is left. */
export function bagOffsets(batch: number): Uint32Array {
  const bags = Math.max(1, Math.floor(batch / BAG_KEYS))
  return Uint32Array.from({ length: bags + 1 }, (_, i) => (i === bags ? batch : i * BAG_KEYS))
}

// By search in the cumulative weights. The prime stride scatters the hot ranks over the rows, so
// that nobody finds them side by side in memory.
function zipf(rows: number, uniform: () => number): () => number {
  const cumulative = new Float64Array(rows)
  let sum = 0
  for (let rank = 0; rank < rows; rank++) {
    sum += (rank + 1) ** -ZIPF_EXPONENT
    cumulative[rank] = sum
  }
  return () => {
    const target = uniform() * sum
    let low = 0
    let high = rows - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulative[middle]! < target) low = middle + 1
      else high = middle
    }
    return (low * 15_485_863) % rows
  }
}
