// Eviction while several openers of one store, each with a thread of its own, read and write:
// limits hold, no row is lost or counted twice, and nobody reads another key's row.

import { open, type Store, sum, type Table, type TableOptions } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bitsOf, filled, randomNumbers } from './support/arrays.ts'
import { evictions, scanned } from './support/pages.ts'

const test = suite('eviction by several openers')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kBatch = 200
const kKeys = 12_000

/** Each key's row is its key, or zeros where a push made it. */
function assertOwn(key: bigint, row: Float32Array): void {
  const value = row[0] as number
  assert.ok(value === Number(key) || value === 0, `${value} in the row of ${key}`)
  assert.ok(
    row.every((each) => each === value),
    `half a row of ${key}`,
  )
}

async function lookUp(table: Table, batch: BigUint64Array): Promise<void> {
  const found = new Uint8Array(kBatch / 8)
  const rows = await table.lookup(batch, { found, missing: -1 })
  for (const [i, there] of bitsOf(found, kBatch).entries()) {
    const row = rows.subarray(i * table.dim, (i + 1) * table.dim)
    if (there) assertOwn(batch[i] as bigint, row)
    else assert.ok(row.every((value) => value === -1))
  }
}

async function scan(table: Table): Promise<void> {
  for (const [key, row] of await scanned(table, { rows: 500 })) assertOwn(key, row)
}

/** The calls of one opener in one round. */
function calls(table: Table, round: number, next: () => number): Promise<unknown>[] {
  const base = Math.floor(next() * kKeys)
  const random = () => BigInt(base + Math.floor(next() * kBatch * 2))
  const batch = BigUint64Array.from({ length: kBatch }, random)
  const rows = new Float32Array(kBatch * table.dim)
  for (const [i, key] of batch.entries()) {
    rows.fill(Number(key), i * table.dim, (i + 1) * table.dim)
  }
  const made: Promise<unknown>[] = [table.update(batch, rows), lookUp(table, batch)]
  if (round % 3 === 0) made.push(table.push(batch, filled(rows.length, 0)))
  if (round % 4 === 0) made.push(table.evict(20), table.erase(batch.subarray(0, 20)))
  if (round % 6 === 0) made.push(scan(table), table.decay(0.9))
  return made
}

async function checkLimits(store: Store, table: Table): Promise<void> {
  const { memoryUsedBytes, memoryBytes } = await store.stats()
  assert.ok(memoryUsedBytes <= memoryBytes, `${memoryUsedBytes} of ${memoryBytes} bytes`)
  const { maxRows = Number.POSITIVE_INFINITY } = table.options.eviction ?? {}
  const { rows } = await table.stats()
  assert.ok(rows <= maxRows, `${rows} of ${maxRows} rows`)
}

const kCases: Partial<TableOptions>[] = [
  { eviction: { policy: 'lru', log: 2 ** 20 } },
  { eviction: { policy: 'smallestNorm', log: 2 ** 20 } },
  { eviction: { policy: 'lfu', maxRows: 1500, log: 2 ** 20 } },
  { eviction: { policy: 'random', maxRows: 1500, log: 2 ** 20 }, admission: { minCount: 2 } },
]

for (const options of kCases) {
  test(`${JSON.stringify(options)}`, async () => {
    const stores = await Promise.all(
      [0, 1, 2].map(() => open(':memory:openers', { memoryBytes: 2 ** 24, threads: 1 })),
    )
    const all = { dim: 512, optimizer: sum(), ...options }
    const tables = await Promise.all(stores.map((store) => store.table('t', all)))
    const next = randomNumbers(3)
    const pending: Promise<unknown>[] = []
    for (let round = 0; round < 60 * kScale; round++) {
      for (const table of tables) pending.push(...calls(table, round, next))
      pending.push(checkLimits(stores[0] as Store, tables[1] as Table))
      if (round % 5 === 4) await Promise.all(pending.splice(0))
    }
    await Promise.all(pending)
    const [table] = tables as [Table]
    const { rows, created, erased, evictedCapacity, evictedDemand } = await table.stats()
    assert.ok(evictedCapacity > 0, 'some rows went')
    assert.is(created - erased - evictedCapacity - evictedDemand, rows)
    assert.is((await evictions(table)).length, evictedCapacity + evictedDemand)
    assert.is((await scanned(table)).size, rows)
    await Promise.all(stores.map((store) => store.close()))
  })
}

test.run()
