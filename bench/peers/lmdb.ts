// lmdb as a contender: rows as binary values under 32-bit or bigint keys, read with
// `getBinaryFast` and copied out of its buffer, everything in the page cache, nothing synced.

import { join } from 'node:path'
import { open } from 'lmdb'
import { type Contender, type Load, single, type Way } from '../contender.ts'
import type { Job } from '../jobs.ts'
import { cut, cycle, fillRows, type KeySets, keyOfRow } from '../workload.ts'

type Key = number | bigint

/** What is used of lmdb, whose own types leave bigint keys out. */
interface Database<K extends Key> {
  getBinaryFast(key: K): Buffer | undefined
  putSync(key: K, value: Buffer): void
  transactionSync(work: () => void): void
  drop(): Promise<void>
  close(): Promise<void>
}

interface Reader<K extends Key> {
  readonly db: Database<K>
  readonly dim: number
}

export class LmdbPeer implements Contender {
  readonly #folder: string
  #loads = 0
  #byNumber: Reader<number> | undefined
  #byBigint: Reader<bigint> | undefined

  /** @param folder - where its files go; whoever made it removes it */
  constructor(folder: string) {
    this.#folder = folder
  }

  async load(load: Load): Promise<void> {
    await this.close()
    const path = join(this.#folder, `lmdb-${++this.#loads}`)
    const settings = { encoding: 'binary', noSync: true, mapSize: 2 ** 36 } as const
    const byNumber = open({ path: `${path}-u32`, keyEncoding: 'uint32', ...settings })
    const byBigint = open({ path: `${path}-bigint`, ...settings }) as Database<never>
    this.#byNumber = { db: byNumber, dim: load.dim }
    this.#byBigint = { db: byBigint as Database<bigint>, dim: load.dim }
    fill(this.#byNumber, load, (key) => key)
    fill(this.#byBigint, load, BigInt)
  }

  async ways(job: Job, keys: KeySets): Promise<Way[]> {
    if (this.#byNumber === undefined || this.#byBigint === undefined) throw new Error('not loaded')
    if (job.work !== 'lookup') return []
    const sets = cut(keys.keys, keys.sets, keys.batch)
    const bigSets = cut(BigUint64Array.from(keys.keys, BigInt), keys.sets, keys.batch)
    return [
      copied('u32, subarray and set', this.#byNumber, sets, keys.batch),
      viewed('u32, kept view', this.#byNumber, sets, keys.batch),
      viewed('bigint, kept view', this.#byBigint, bigSets, keys.batch),
    ]
  }

  async close(): Promise<void> {
    const readers = [this.#byNumber, this.#byBigint]
    this.#byNumber = undefined
    this.#byBigint = undefined
    for (const reader of readers) await reader?.db.drop()
    for (const reader of readers) await reader?.db.close()
  }
}

/** In key order and in one transaction, which packs the pages best. */
function fill<K extends Key>(reader: Reader<K>, { rows, dim }: Load, convert: (key: number) => K) {
  const numbers = Uint32Array.from({ length: rows }, (_, row) => row)
  numbers.sort((a, b) => keyOfRow(a) - keyOfRow(b))
  const values = new Float32Array(dim)
  const bytes = Buffer.from(values.buffer)
  reader.db.transactionSync(() => {
    for (const row of numbers) {
      fillRows(values, row, dim)
      reader.db.putSync(convert(keyOfRow(row)), bytes)
    }
  })
}

type Sets<K extends Key> = readonly { readonly [i: number]: K; readonly length: number }[]

function copied<K extends Key>(name: string, reader: Reader<K>, sets: Sets<K>, batch: number): Way {
  const { db, dim } = reader
  const width = dim * Float32Array.BYTES_PER_ELEMENT
  const out = new Float32Array(batch * dim)
  const bytes = new Uint8Array(out.buffer)
  const next = cycle(sets.length)
  let set = 0
  const run = () => {
    set = next()
    const keys = sets[set]!
    for (let i = 0; i < keys.length; i++) {
      bytes.set(db.getBinaryFast(keys[i]!)!.subarray(0, width), i * width)
    }
  }
  return single('lookup', name, run, () => ({ set, out }))
}

/** Reads every row at the place where `getBinaryFast` leaves it, by one view made in advance. */
function viewed<K extends Key>(name: string, reader: Reader<K>, sets: Sets<K>, batch: number): Way {
  const { db, dim } = reader
  const out = new Float32Array(batch * dim)
  const next = cycle(sets.length)
  const { buffer, byteOffset } = db.getBinaryFast(sets[0]![0]!)!
  const row = new Float32Array(buffer, byteOffset, dim)
  let set = 0
  const run = () => {
    set = next()
    const keys = sets[set]!
    for (let i = 0; i < keys.length; i++) {
      db.getBinaryFast(keys[i]!)
      out.set(row, i * dim)
    }
  }
  return single('lookup', name, run, () => ({ set, out }))
}
