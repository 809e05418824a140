// The best JavaScript Map: key -> row number, and all rows in one flat Float32Array.
//
// Which loop is the fastest depends on the batch and the dim, so several take part and the harness
// keeps the fastest of each job. A Map of one array a row is slower at every size.

import { type Contender, type Load, single, type Way } from '../contender.ts'
import type { Job } from '../jobs.ts'
import { bagOffsets, cut, cycle, fillRows, type KeySets, keyOfRow } from '../workload.ts'

const LEARNING_RATE = 0.01
const INITIAL_ACCUMULATOR = 0.1
const EPSILON = 1e-10
const GRADIENT = 0.01

/** The rows, and where each key's row begins in `values`. */
interface Rows {
  readonly dim: number
  readonly values: Float32Array
  readonly byNumber: Map<number, number>
}

export class MapPeer implements Contender {
  #rows: Rows | undefined
  #byBigint: Map<bigint, number> | undefined
  #accumulators: Float32Array | undefined
  #pushed: Float32Array | undefined

  async load({ rows, dim }: Load): Promise<void> {
    await this.close()
    const values = new Float32Array(rows * dim)
    fillRows(values, 0, dim)
    const byNumber = new Map<number, number>()
    for (let row = 0; row < rows; row++) byNumber.set(keyOfRow(row), row * dim)
    this.#rows = { dim, values, byNumber }
    this.#byBigint = new Map([...byNumber].map(([key, begin]) => [BigInt(key), begin]))
  }

  async ways(job: Job, keys: KeySets): Promise<Way[]> {
    if (this.#rows === undefined || this.#byBigint === undefined) throw new Error('not loaded')
    const sets = cut(keys.keys, keys.sets, keys.batch)
    if (job.work === 'pooled') return [pooled(this.#rows, sets, keys.batch)]
    if (job.work === 'push') {
      // Pushes change the rows, lookups are checked against them: each has its own.
      this.#pushed ??= this.#rows.values.slice()
      this.#accumulators ??= new Float32Array(this.#pushed.length).fill(INITIAL_ACCUMULATOR)
      const rows = { ...this.#rows, values: this.#pushed }
      return [push(rows, this.#accumulators, sets, keys.batch)]
    }
    const bigSets = cut(BigUint64Array.from(keys.keys, BigInt), keys.sets, keys.batch)
    return [
      lookup('number, set', byNumberSet(this.#rows), this.#rows, sets, keys.batch),
      lookup('number, copy loop', byNumberLoop(this.#rows), this.#rows, sets, keys.batch),
      lookup('number, all gets first', byNumberTwice(this.#rows), this.#rows, sets, keys.batch),
      lookup('bigint, set', byBigint(this.#rows, this.#byBigint), this.#rows, bigSets, keys.batch),
    ]
  }

  async close(): Promise<void> {
    this.#rows = undefined
    this.#byBigint = undefined
    this.#accumulators = undefined
    this.#pushed = undefined
  }
}

function lookup<Keys>(
  name: string,
  copy: (keys: Keys, out: Float32Array) => void,
  { dim }: Rows,
  sets: readonly Keys[],
  batch: number,
): Way {
  const out = new Float32Array(batch * dim)
  const next = cycle(sets.length)
  let set = 0
  const run = () => {
    set = next()
    copy(sets[set]!, out)
  }
  return single('lookup', name, run, () => ({ set, out }))
}

function byNumberSet({ dim, values, byNumber }: Rows) {
  return (keys: Uint32Array, out: Float32Array) => {
    for (let i = 0; i < keys.length; i++) {
      const begin = byNumber.get(keys[i]!)!
      out.set(values.subarray(begin, begin + dim), i * dim)
    }
  }
}

function byNumberLoop({ dim, values, byNumber }: Rows) {
  return (keys: Uint32Array, out: Float32Array) => {
    for (let i = 0, to = 0; i < keys.length; i++) {
      const begin = byNumber.get(keys[i]!)!
      for (let from = begin; from < begin + dim; from++) out[to++] = values[from]!
    }
  }
}

// Gets that do not wait for copies let the processor fetch several keys at once.
function byNumberTwice({ dim, values, byNumber }: Rows) {
  let begins = new Uint32Array(0)
  return (keys: Uint32Array, out: Float32Array) => {
    if (begins.length < keys.length) begins = new Uint32Array(keys.length)
    for (let i = 0; i < keys.length; i++) begins[i] = byNumber.get(keys[i]!)!
    for (let i = 0, to = 0; i < keys.length; i++) {
      const begin = begins[i]!
      for (let from = begin; from < begin + dim; from++) out[to++] = values[from]!
    }
  }
}

function byBigint({ dim, values }: Rows, byKey: Map<bigint, number>) {
  return (keys: BigUint64Array, out: Float32Array) => {
    for (let i = 0; i < keys.length; i++) {
      const begin = byKey.get(keys[i]!)!
      out.set(values.subarray(begin, begin + dim), i * dim)
    }
  }
}

function pooled(rows: Rows, sets: readonly Uint32Array[], batch: number): Way {
  const { dim, values, byNumber } = rows
  const offsets = bagOffsets(batch)
  const out = new Float32Array((offsets.length - 1) * dim)
  const next = cycle(sets.length)
  let set = 0
  const run = () => {
    set = next()
    const keys = sets[set]!
    out.fill(0)
    for (let bag = 0; bag + 1 < offsets.length; bag++) {
      for (let i = offsets[bag]!; i < offsets[bag + 1]!; i++) {
        const begin = byNumber.get(keys[i]!)!
        for (let j = 0, to = bag * dim; j < dim; j++, to++) out[to] = out[to]! + values[begin + j]!
      }
    }
  }
  return single('pooled', 'number', run, () => ({ set, out }))
}

// Adagrad row by row. It leaves out that duplicates are summed first: less work than the store's.
function push(
  rows: Rows,
  accumulators: Float32Array,
  sets: readonly Uint32Array[],
  batch: number,
): Way {
  const { dim, values, byNumber } = rows
  const gradients = new Float32Array(batch * dim).fill(GRADIENT)
  const next = cycle(sets.length)
  const run = () => {
    const keys = sets[next()]!
    for (let i = 0, from = 0; i < keys.length; i++) {
      const begin = byNumber.get(keys[i]!)!
      for (let at = begin; at < begin + dim; at++, from++) {
        const gradient = gradients[from]!
        const sum = accumulators[at]! + gradient * gradient
        accumulators[at] = sum
        values[at] = values[at]! - (LEARNING_RATE * gradient) / (Math.sqrt(sum) + EPSILON)
      }
    }
  }
  return single('push', 'number', run)
}
