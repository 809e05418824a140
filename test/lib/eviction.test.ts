// Eviction at limits, on demand and ahead of need: who goes, that limits hold at every moment, and
// what is told of it.

import { adagrad, constant, type EvictionOptions, sum, type Table, type TableOptions } from 'hotrow'
import * as assert from 'uvu/assert'
import { bitsOf, filled, floats, keyRange, keys, same } from './support/arrays.ts'
import { open } from './support/open.ts'
import { eventually, evictions, scanned } from './support/pages.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'
import { newTable, type TableContext, tableSuite } from './support/tables.ts'

const test = tableSuite('eviction')

/** A new table of dim 1 and sum. */
function make(
  context: TableContext,
  eviction: EvictionOptions,
  options: Partial<TableOptions> = {},
): Promise<Table> {
  return newTable(context, { ...options, eviction })
}

const fill = (table: Table, from: number, count: number, value = 1): Promise<void> =>
  table.push(keyRange(from, count), filled(count * table.dim, value))

/** Which of the keys have rows; a use of none of them but by policies that count lookups. */
async function present(table: Table, batch: BigUint64Array): Promise<boolean[]> {
  const found = new Uint8Array(Math.ceil(batch.length / 8))
  await table.lookup(batch, { found })
  return bitsOf(found, batch.length)
}

const rowCount = async (table: Table): Promise<number> => (await table.stats()).rows

const kPolicies = [
  ...(['lru', 'lfu', 'ageingLfu', 'oldestStep', 'smallestNorm', 'lowestScore'] as const),
  'random' as const,
]

for (const policy of kPolicies) {
  test(`${policy}: maxRows holds, and what a push brings is there`, async (context) => {
    const table = await make(context, { policy, maxRows: 300 })
    const sizes: Promise<unknown>[] = []
    for (let step = 0; step < 60; step++) {
      const batch = keyRange(step * 70, 100)
      const pushing =
        step % 3 === 2 ? table.update(batch, filled(100, 1)) : fill(table, step * 70, 100)
      sizes.push(
        pushing,
        rowCount(table).then((rows) => assert.ok(rows <= 300, `${rows} rows`)),
      )
      if (step % 7 === 0) assert.ok((await present(table, batch)).every(Boolean))
    }
    await Promise.all(sizes)
    const stats = await table.stats()
    assert.is(stats.created - stats.evictedCapacity, stats.rows)
    assert.is((await scanned(table)).size, stats.rows)
  })
}

/** What makes keys worth keeping, by policy. */
const kFavour: [EvictionOptions, (table: Table, batch: BigUint64Array) => Promise<unknown>][] = [
  [{ policy: 'lru' }, (table, batch) => table.lookup(batch)],
  [{ policy: 'lfu' }, (table, batch) => table.lookup(batch)],
  [{ policy: 'lfu', ttlMs: 3_600_000 }, (table, batch) => table.lookup(batch)],
  [{ policy: 'ageingLfu' }, (table, batch) => table.lookup(batch)],
  [{ policy: 'ageingLfu', halfLife: 100_000 }, (table, batch) => table.lookupPooled(batch, kBag)],
  [{ policy: 'oldestStep' }, (table, batch) => table.push(batch, filled(batch.length, 1))],
  [{ policy: 'smallestNorm' }, (table, batch) => table.update(batch, filled(batch.length, -50))],
  [{ policy: 'lowestScore' }, (table, batch) => table.setScores(batch, filled(batch.length, 2))],
]
const kFavoured = keyRange(0, 50)
const kBag = Uint32Array.of(0, 50)

for (const [options, favour] of kFavour) {
  test(`${JSON.stringify(options)} keeps what is used as it says`, async (context) => {
    const table = await make(context, { ...options, maxRows: 1000 })
    await fill(table, 0, 50)
    for (let step = 1; step <= 20; step++) {
      await favour(table, kFavoured)
      await favour(table, kFavoured)
      await fill(table, step * 200, 200)
    }
    const kept = (await present(table, kFavoured)).filter(Boolean).length
    const others = (await present(table, keyRange(200, 1000))).filter(Boolean).length
    assert.is(kept, 50)
    assert.ok(others < 500, `${others} of the 1000 oldest are left`)
  })
}

test('at maxRows the rows stay as they are, whoever goes', async (context) => {
  const table = await make(context, { policy: 'lru', maxRows: 500 }, { dim: 3 })
  for (let key = 0; key < 3000; key += 100) {
    const rows = Float32Array.from({ length: 300 }, (_, i) => key + Math.floor(i / 3))
    await table.update(keyRange(key, 100), rows)
  }
  const left = await scanned(table)
  assert.ok(left.size > 400)
  for (const [key, row] of left) same(row, filled(3, Number(key)))
})

test('maxBytes bounds rows and index together', async (context) => {
  const maxBytes = 2 ** 23
  const table = await make(context, { policy: 'random', maxBytes }, { dim: 64 })
  for (let step = 0; step < 40; step++) {
    await fill(table, step * 1000, 1000)
    const { rowMemoryBytes, indexMemoryBytes } = await table.stats()
    assert.ok(rowMemoryBytes + indexMemoryBytes <= maxBytes)
  }
  const { rows, evictedCapacity } = await table.stats()
  assert.ok(rows > 10_000, `${rows} rows of 256 bytes`)
  assert.is(rows + evictedCapacity, 40_000)
})

test('the store’s ceiling evicts too, and holds', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const options = { dim: 64, optimizer: sum(), eviction: { policy: 'lru' } } as const
  const [a, b] = [await store.table('a', options), await store.table('b', options)]
  for (let step = 0; step < 60; step++) {
    await fill(a, step * 1000, 1000)
    await store.pushAll([
      [a, keyRange(step * 1000, 500), filled(32_000, 1)],
      [b, keyRange(step * 1000, 1000), filled(64_000, 1)],
    ])
    const { memoryUsedBytes, memoryBytes } = await store.stats()
    assert.ok(memoryUsedBytes <= memoryBytes)
  }
  assert.ok((await present(b, keyRange(59_000, 1000))).every(Boolean))
  assert.ok((await store.stats()).rows > 20_000)
})

test('an evicted key begins anew, with fresh state', async (context) => {
  const optimizer = adagrad({ learningRate: 1, initialAccumulator: 0 })
  const options = { optimizer, initializer: constant(1) }
  const table = await make(context, { policy: 'lru' }, options)
  await table.push(keys(1), floats(3))
  assert.is(await table.evict(1), 1)
  same(await table.lookup(keys(1)), [1])
  await table.push(keys(1), floats(4))
  same(await table.lookup(keys(1)), [0])
  same(await table.lookupState(keys(1)), [16])
})

test('evict takes as many as it is told, or all there are', async (context) => {
  const table = await make(context, { policy: 'oldestStep' })
  assert.is(await table.evict(5), 0)
  await fill(table, 0, 100)
  await fill(table, 100, 100)
  assert.is(await table.evict(0), 0)
  assert.is(await table.evict(40), 40)
  assert.is(await rowCount(table), 160)
  assert.is(await table.evict(Number.MAX_SAFE_INTEGER), 160)
  assert.is(await rowCount(table), 0)
  assert.is((await table.stats()).evictedDemand, 200)
})

test('evict of many thousand keys counts every one of them', async (context) => {
  const table = await make(context, { policy: 'random', log: 50_000 })
  await fill(table, 0, 30_000)
  assert.is(await table.evict(12_345), 12_345)
  const gone = await evictions(table)
  assert.is(new Set(gone.map(([key]) => key)).size, 12_345)
  assert.is((await scanned(table)).size, 30_000 - 12_345)
})

test('the log has the evicted keys in order, with their reasons, each once', async (context) => {
  const table = await make(context, { policy: 'lowestScore', maxRows: 4, log: 100 })
  await table.update(keys(1, 2, 3, 4), floats(1, 2, 3, 4))
  await table.setScores(keys(1, 2, 3, 4), floats(-4, -3, -2, -1))
  await table.update(keys(5), floats(50))
  await table.setScores(keys(5), floats(5))
  assert.is(await table.evict(1), 1)
  assert.is(await table.shrink({ belowNorm: 3.5 }), 1)
  assert.equal(await evictions(table), [
    [1n, 'capacity'],
    [2n, 'demand'],
    [3n, 'shrink'],
  ])
  assert.equal(await table.takeEvicted(), { keys: keys(), reasons: [] })
  await table.erase(keys(4))
  assert.equal(await evictions(table), [], 'an erased key was not evicted')
  const { evictedCapacity, evictedDemand, evictedShrink, evictedExpired } = await table.stats()
  assert.equal([evictedCapacity, evictedDemand, evictedShrink, evictedExpired], [1, 1, 1, 0])
})

test('takeEvicted takes the oldest, so many at most', async (context) => {
  const table = await make(context, { policy: 'oldestStep', log: 1000 })
  for (let key = 0; key < 10; key++) await fill(table, key, 1)
  for (let key = 0; key < 10; key++) await table.evict(1)
  const first = await table.takeEvicted(3)
  assert.equal([...first.keys], [0n, 1n, 2n])
  assert.equal(first.reasons, ['demand', 'demand', 'demand'])
  assert.equal([...(await table.takeEvicted(1)).keys], [3n])
  assert.equal([...(await table.takeEvicted(1_048_576)).keys], [4n, 5n, 6n, 7n, 8n, 9n])
  assert.is((await table.takeEvicted()).keys.length, 0)
})

test('the log forgets the oldest beyond its length, and without one has none', async (context) => {
  const short = await make(context, { policy: 'oldestStep', log: 3 })
  const none = await make(context, { policy: 'oldestStep' })
  for (const table of [short, none]) {
    for (let key = 0; key < 10; key++) await fill(table, key, 1)
    for (let key = 0; key < 10; key++) await table.evict(1)
  }
  assert.equal([...(await short.takeEvicted()).keys], [7n, 8n, 9n])
  assert.is((await none.takeEvicted()).keys.length, 0)
  assert.is((await none.stats()).evictedDemand, 10)
})

test('pages of the log, and stopping among them, lose nothing', async (context) => {
  const table = await make(context, { policy: 'random', log: 1000 })
  await fill(table, 0, 1000)
  await table.evict(1000)
  const taken: bigint[] = []
  for await (const page of table.evicted(64)) {
    assert.ok(page.keys.length <= 64)
    taken.push(...page.keys)
    if (taken.length > 500) break
  }
  for (const [key] of await evictions(table, 1)) taken.push(key)
  assert.equal(new Set(taken).size, 1000)
})

test('with a time to live unused rows go by themselves', async (context) => {
  for (const policy of ['ttl', 'lru', 'lfu'] as const) {
    const table = await make(context, { policy, ttlMs: 1, log: 200 })
    await fill(table, 0, 100)
    await eventually('all rows expire', async () => (await rowCount(table)) === 0)
    const gone = await evictions(table)
    assert.is(gone.length, 100)
    assert.ok(gone.every(([, reason]) => reason === 'expired'))
    assert.is((await table.stats()).evictedExpired, 100)
  }
})

test('background frees rows before they are needed', async (context) => {
  const table = await make(context, { policy: 'lru', maxRows: 1000, background: true, log: 2000 })
  await fill(table, 0, 1000)
  await eventually('a thirty-second is free', async () => (await rowCount(table)) < 1000)
  const gone = await evictions(table)
  assert.ok(gone.length > 0 && gone.every(([, reason]) => reason === 'capacity'))
})

test('closing and dropping while the background is at work are fine', async () => {
  for (let round = 0; round < 5; round++) {
    const store = await open(':memory:', { backgroundShare: 1 })
    const eviction = { policy: 'lru', maxRows: 2000, ttlMs: 1, background: true } as const
    const tables = await Promise.all(
      ['a', 'b', 'c'].map((name) => store.table(name, { dim: 1, eviction })),
    )
    for (const table of tables) void fill(table, 0, 2000)
    await store.drop('b')
    await fill(tables[0] as Table, 5000, 1000)
    await store.close()
  }
})

test('a call with more keys than maxRows is refused and nothing is evicted', async (context) => {
  const table = await make(context, { policy: 'lru', maxRows: 100, log: 100 })
  const other = await make(context, { policy: 'lru', maxRows: 100 })
  await fill(table, 0, 100)
  const before = await scanned(table)
  const message = /^table 'table 0': its new rows would not fit: .* 101 keys.* allows 100 rows$/
  const refusal = { kind: 'StoreError', code: 'ERR_CAPACITY', message } as const
  const many = keyRange(1000, 101)
  const calls = [
    () => table.push(many, filled(101, 1)),
    () => table.update(many, filled(101, 1)),
    () => table.pushPooled(many, Uint32Array.of(0, 101), floats(1)),
    () =>
      context.store.pushAll([
        [other, keys(1), floats(1)],
        [table, many, filled(101, 1)],
      ]),
  ]
  for (const call of calls) assertRefusal(await errorOf(call), refusal)
  assert.equal(await scanned(table), before)
  assert.equal(await evictions(table), [])
  assert.is(await rowCount(other), 0)
  await fill(table, 1000, 100)
  assert.ok((await present(table, keyRange(1000, 100))).every(Boolean))
})

test('policy none evicts nothing and refuses at the ceiling', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const options = { dim: 64, optimizer: sum(), eviction: { policy: 'none', log: 10 } } as const
  const table = await store.table('t', options)
  const error = await errorOf(() => fill(table, 0, 200_000))
  assertRefusal(error, { kind: 'StoreError', code: 'ERR_CAPACITY', message: /would not fit/ })
  await fill(table, 0, 10)
  assert.is(await table.shrink({ belowNorm: 100 }), 10)
  assert.is((await evictions(table)).length, 10)
})

test.run()
