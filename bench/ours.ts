// The store as a contender: its operations by the public API, arrays of keys and outputs reused.

import { adagrad, open, type Store, sgd, type Table } from 'hotrow'
import { type Contender, type Load, single, type Way } from './contender.ts'
import type { Job } from './jobs.ts'
import { bagOffsets, cut, cycle, fillRows, type KeySets, keyOfRow } from './workload.ts'

const CHUNK_ROWS = 8192
const GRADIENT = 0.01

export class Ours implements Contender {
  #store: Store | undefined
  #load: Load = { rows: 0, dim: 0 }
  #lookups: Table | undefined
  #pushes: Table | undefined

  async load(load: Load): Promise<void> {
    await this.close()
    this.#store = await open(':memory:')
    this.#load = load
    this.#lookups = await filled(this.#store, 'lookups', sgd(), load)
  }

  async ways(job: Job, keys: KeySets): Promise<Way[]> {
    if (this.#store === undefined || this.#lookups === undefined) throw new Error('not loaded')
    const bigKeys = cut(BigUint64Array.from(keys.keys, BigInt), keys.sets, keys.batch)
    if (job.work === 'lookup') return lookups(this.#lookups, bigKeys)
    if (job.work === 'pooled') return [pooled(this.#lookups, bigKeys, keys.batch)]
    this.#pushes ??= await filled(
      this.#store,
      'pushes',
      adagrad({ learningRate: 0.01 }),
      this.#load,
    )
    return [push(this.#pushes, bigKeys, keys.batch)]
  }

  async close(): Promise<void> {
    this.#lookups = undefined
    this.#pushes = undefined
    await this.#store?.close()
  }
}

async function filled(
  store: Store,
  name: string,
  optimizer: ReturnType<typeof sgd>,
  { rows, dim }: Load,
): Promise<Table> {
  const table = await store.table(name, { dim, optimizer })
  for (let first = 0; first < rows; first += CHUNK_ROWS) {
    const length = Math.min(CHUNK_ROWS, rows - first)
    const values = new Float32Array(length * dim)
    fillRows(values, first, dim)
    const keys = BigUint64Array.from({ length }, (_, i) => BigInt(keyOfRow(first + i)))
    await table.update(keys, values)
  }
  return table
}

function lookups(table: Table, keys: readonly BigUint64Array[]): Way[] {
  const out = new Float32Array((keys[0]?.length ?? 0) * table.dim)
  const next = cycle(keys.length)
  const options = { out }
  let set = 0
  const last = () => ({ set, out })
  const sync = () => {
    set = next()
    table.lookupSync(keys[set]!, out)
  }
  const async = async () => {
    set = next()
    await table.lookup(keys[set]!, options)
  }
  return [single('lookupSync', 'lookupSync', sync, last), single('lookup', 'lookup', async, last)]
}

function pooled(table: Table, keys: readonly BigUint64Array[], batch: number): Way {
  const offsets = bagOffsets(batch)
  const out = new Float32Array((offsets.length - 1) * table.dim)
  const options = { out }
  const next = cycle(keys.length)
  let set = 0
  const run = async () => {
    set = next()
    await table.lookupPooled(keys[set]!, offsets, options)
  }
  return single('lookupPooled', 'lookupPooled', run, () => ({ set, out }))
}

function push(table: Table, keys: readonly BigUint64Array[], batch: number): Way {
  const gradients = new Float32Array(batch * table.dim).fill(GRADIENT)
  const next = cycle(keys.length)
  return single('push', 'push', () => table.push(keys[next()]!, gradients))
}
