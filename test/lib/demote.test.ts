// Tables that demote, through TypeScript: more rows than memory, in every call.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, type Store, type StoreError, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

interface Context {
  folder: string
  path: string
  store: Store
  table: Table
}

const MOST = 300
const options = {
  dim: 2,
  optimizer: sum(),
  eviction: { policy: 'ageingLfu', maxRows: MOST, demote: true },
} as const

const test = suite<Context>('demote')

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
  context.path = join(context.folder, 's')
  context.store = await open(context.path)
  context.table = await context.store.table('t', options)
})
test.after.each(async ({ folder, store }) => {
  await store.close()
  await rm(folder, { recursive: true, force: true })
})

const range = (first: number, count: number): BigUint64Array =>
  BigUint64Array.from({ length: count }, (_, i) => BigInt(first + i))

/** Key k gets k + `more` in both values, a hundred keys at a time. */
async function fill(table: Table, count: number, more = 0): Promise<void> {
  for (let first = 0; first < count; first += 100) {
    const rows = Float32Array.from({ length: 200 }, (_, i) => first + (i >> 1) + more)
    await table.update(range(first, 100), rows)
  }
}

async function check(table: Table, count: number, more = 0): Promise<void> {
  const rows = await table.lookup(range(0, count))
  const expected = Float32Array.from({ length: 2 * count }, (_, i) => (i >> 1) + more)
  assert.equal(rows, expected)
}

test('holds more rows than memory does', async ({ store, table }) => {
  await fill(table, 2000)
  await check(table, 2000)
  const stats = await table.stats()
  assert.is(stats.rows, 2000)
  assert.ok(stats.rows - stats.coldRows <= MOST)
  assert.ok(stats.spilledRows >= 2000 - MOST)
  await store.commit()
  assert.is((await table.stats()).spilledRows, 0)
  await check(table, 2000)
})

test('what was spilled is in no version before the next', async (context) => {
  await fill(context.table, 2000)
  await context.store.commit()
  await fill(context.table, 2000, 1)
  await context.store.close()
  context.store = await open(context.path)
  await check(await context.store.table('t', options), 2000)
})

test('what lookups miss again comes into memory', async ({ table }) => {
  await fill(table, 2000)
  for (let i = 0; i < 5; i++) await table.lookup(range(0, 50))
  const { coldHits, promoted } = await table.stats()
  assert.ok(promoted > 0 && promoted <= 50, `${promoted} promoted`)
  await table.lookup(range(0, 50))
  assert.is((await table.stats()).coldHits, coldHits)
})

test('goes back to a version, exports and imports', async ({ store, table, folder }) => {
  await fill(table, 1000)
  await store.commit()
  await fill(table, 1000, 5)
  await store.commit()
  await store.rollback(1)
  await check(table, 1000)
  await store.exportTo(join(folder, 'out'), { format: 'safetensors' })
  const other = await open(':memory:')
  try {
    const plain = { dim: 2, optimizer: sum() }
    const copy = await other.table('t', plain)
    await other.importFrom(join(folder, 'out'))
    await check(copy, 1000)
  } finally {
    await other.close()
  }
})

test('is refused where it makes no sense', async ({ store }) => {
  const memory = await open(':memory:')
  try {
    await memory.table('t', options)
    assert.unreachable()
  } catch (error) {
    assert.is((error as StoreError).code, 'ERR_UNSUPPORTED')
  } finally {
    await memory.close()
  }
  for (const eviction of [
    { policy: 'ttl', ttlMs: 5, demote: true },
    { policy: 'lru', log: 5, demote: true },
    { policy: 'lowestScore', demote: true },
  ] as const) {
    try {
      await store.table('u', { dim: 2, eviction })
      assert.unreachable()
    } catch (error) {
      assert.is((error as StoreError).code, 'ERR_INVALID_ARGUMENT')
      assert.match((error as Error).message, /eviction\.demote/)
    }
  }
})

test.run()
