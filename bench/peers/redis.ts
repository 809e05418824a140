// Redis as a contender: rows as strings of bytes on a server of its own, read with MGET by ioredis
// and copied into the output.
//
// Its best way is found by trying: one MGET a batch or several in a pipeline, one batch at a time
// or eight under way. Latencies are taken with one batch under way.

import { Redis } from 'ioredis'
import { type Contender, type Load, single, type Way } from '../contender.ts'
import type { Job } from '../jobs.ts'
import { cycle, fillRows, type KeySets, keyOfRow } from '../workload.ts'

const CHUNK_ROWS = 2048
const UNDER_WAY = 8
const PIPELINED_KEYS = 256

export class RedisPeer implements Contender {
  readonly #client: Redis
  #dim = 0

  constructor(port: number) {
    // Losing the server ends the run at once instead of waiting for it to come back.
    const options = { host: '127.0.0.1', port, retryStrategy: () => null }
    this.#client = new Redis({ ...options, maxRetriesPerRequest: 0 })
    // Calls reject with what went wrong; an error without a listener would be printed again.
    this.#client.on('error', () => {})
  }

  async load({ rows, dim }: Load): Promise<void> {
    this.#dim = dim
    await this.#client.flushall('SYNC')
    for (let first = 0; first < rows; first += CHUNK_ROWS) {
      const length = Math.min(CHUNK_ROWS, rows - first)
      const values = new Float32Array(length * dim)
      fillRows(values, first, dim)
      const bytes = Buffer.from(values.buffer)
      const pairs = Array.from({ length }, (_, i) => [
        `${keyOfRow(first + i)}`,
        bytes.subarray(i * dim * 4, (i + 1) * dim * 4),
      ])
      await this.#client.mset(...pairs.flat())
    }
  }

  async ways(job: Job, keys: KeySets): Promise<Way[]> {
    if (job.work !== 'lookup') return []
    const sets = Array.from({ length: keys.sets }, (_, set) =>
      Array.from(keys.keys.subarray(set * keys.batch, (set + 1) * keys.batch), String),
    )
    const whole = (names: readonly string[], out: Buffer) => this.#whole(names, out)
    const pieces = (names: readonly string[], out: Buffer) => this.#pieces(names, out)
    const forms: [string, Fetch][] = [['MGET', whole]]
    if (keys.batch > PIPELINED_KEYS) forms.push(['pipeline of MGETs', pieces])
    return forms.flatMap(([name, fetch]) => lookups(name, fetch, sets, keys.batch * this.#dim))
  }

  /** Ends the server as well: it was started for this run. */
  async close(): Promise<void> {
    await this.#client.shutdown('NOSAVE').catch(() => {})
    this.#client.disconnect()
  }

  async #whole(names: readonly string[], out: Buffer): Promise<void> {
    copyRows(await this.#client.mgetBuffer(names as string[]), out, 0)
  }

  async #pieces(names: readonly string[], out: Buffer): Promise<void> {
    const pipeline = this.#client.pipeline()
    for (let first = 0; first < names.length; first += PIPELINED_KEYS) {
      pipeline.mgetBuffer(names.slice(first, first + PIPELINED_KEYS))
    }
    let begin = 0
    for (const [error, rows] of (await pipeline.exec()) ?? []) {
      if (error !== null) throw error
      begin = copyRows(rows as (Buffer | null)[], out, begin)
    }
  }
}

type Fetch = (names: readonly string[], out: Buffer) => Promise<void>

/** Copies rows one after the other from byte `begin` on; gives the byte behind the last. */
function copyRows(rows: readonly (Buffer | null)[], out: Buffer, begin: number): number {
  let to = begin
  for (const row of rows) {
    out.set(row!, to)
    to += row!.length
  }
  return to
}

function lookups(name: string, fetch: Fetch, sets: readonly string[][], values: number): Way[] {
  const outs = Array.from({ length: UNDER_WAY }, () => new Float32Array(values))
  const buffers = outs.map((out) => Buffer.from(out.buffer))
  const next = cycle(sets.length)
  let set = 0
  const once = () => {
    set = next()
    return fetch(sets[set]!, buffers[0]!)
  }
  const several = async () => {
    await Promise.all(
      buffers.map((out, i) => {
        const chosen = next()
        if (i === 0) set = chosen
        return fetch(sets[chosen]!, out)
      }),
    )
  }
  const last = () => ({ set, out: outs[0]! })
  const label = `${name}, ${UNDER_WAY} under way`
  return [
    single('lookup', name, once, last),
    { operation: 'lookup', name: label, run: several, batches: UNDER_WAY, once, last },
  ]
}
