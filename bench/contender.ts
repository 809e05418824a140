// What a contender is to the harness: something that holds the rows and does a job's batches.

import type { Job } from './jobs.ts'
import { bagOffsets, type KeySets, rowValue } from './workload.ts'

/** One way of doing an operation; of several the harness keeps the fastest. */
export interface Way {
  readonly operation: string
  readonly name: string
  /** Does `batches` batches, the next sets of keys each time. */
  readonly run: () => void | Promise<void>
  readonly batches: number
  /** Does one batch, for latencies; `run` when it already does. */
  readonly once?: () => void | Promise<void>
  /** The rows of the last batch done by `run`, and its set; left out by what writes. */
  readonly last?: () => { set: number; out: Float32Array }
}

export interface Load {
  readonly rows: number
  readonly dim: number
}

export interface Contender {
  /** Holds the rows of `load` from now on, and no others. */
  load(load: Load): Promise<void>
  /** The ways of doing `job` over `keys`; none when it cannot. */
  ways(job: Job, keys: KeySets): Promise<Way[]>
  close(): Promise<void>
}

/** A way that does one batch a call. */
export function single(
  operation: string,
  name: string,
  run: () => void | Promise<void>,
  last?: Way['last'],
): Way {
  return { operation, name, run, batches: 1, ...(last === undefined ? {} : { last }) }
}

/** Throws when the last rows that `way` gave are not the rows asked for. */
export function checkRows(way: Way, job: Job, keys: KeySets): void {
  const last = way.last?.()
  if (last === undefined) return
  const { dim } = job
  const rows = keys.rows.subarray(last.set * keys.batch, (last.set + 1) * keys.batch)
  const offsets = bagOffsets(keys.batch)
  const count = job.work === 'pooled' ? offsets.length - 1 : rows.length
  for (let i = 0; i < count; i++) {
    const part = job.work === 'pooled' ? rows.subarray(offsets[i], offsets[i + 1]) : [rows[i]!]
    for (let column = 0; column < dim; column++) {
      let expected = 0
      for (const row of part) expected += rowValue(row, column)
      const received = last.out[i * dim + column]!
      // Sums of f32 may be rounded; single rows are exact.
      if (Math.abs(received - expected) > (part.length > 1 ? 1e-6 * expected : 0)) {
        const place = `value ${column} of ${i} of set ${last.set}`
        throw new Error(`${way.name}: ${place}: expected ${expected}, received ${received}`)
      }
    }
  }
}
