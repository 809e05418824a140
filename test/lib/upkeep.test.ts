// What callers do for a table now and then: shrink, decay, scores, room ahead of need.

import { adam, type EvictionOptions, slotKey, sum, type Table, type TableOptions } from 'hotrow'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, kLastKey, same } from './support/arrays.ts'
import { open } from './support/open.ts'
import { eventually, evictions, scanned } from './support/pages.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'
import { newTable, type TableContext, tableSuite } from './support/tables.ts'

const test = tableSuite('upkeep')

function make(
  context: TableContext,
  eviction?: EvictionOptions,
  options: Partial<TableOptions> = {},
): Promise<Table> {
  return newTable(context, { ...options, ...(eviction && { eviction }) })
}

const sorted = async (table: Table): Promise<bigint[]> =>
  [...(await scanned(table)).keys()].sort((a, b) => (a < b ? -1 : 1))

test('shrink by norm takes the rows that are smaller, and no others', async (context) => {
  const table = await make(context, undefined, { dim: 2 })
  await table.update(keys(1, 2, 3, 4), floats(3, 4, 0, 0, -3, -4.01, 0, 5))
  assert.is(await table.shrink({ belowNorm: 5 }), 1)
  assert.equal(await sorted(table), [1n, 3n, 4n])
  assert.is(await table.shrink({ belowNorm: 5.001 }), 2)
  assert.equal(await sorted(table), [3n])
  assert.is((await table.stats()).evictedShrink, 3)
})

test('shrink by norm reads rows of every type', async (context) => {
  for (const valueType of ['f16', 'bf16', 'i8', 'i4'] as const) {
    const table = await make(context, undefined, { dim: 4, valueType })
    await table.update(keys(1, 2), floats(1, 1, 1, 1, 4, 4, 4, 4))
    assert.is(await table.shrink({ belowNorm: 3 }), 1)
    assert.equal(await sorted(table), [2n])
  }
})

for (const policy of ['lfu', 'ageingLfu'] as const) {
  test(`shrink by uses with ${policy}: pushes and lookups count`, async (context) => {
    const table = await make(context, { policy, log: 10 })
    await table.push(keys(1, 2, 3), floats(1, 1, 1))
    await table.push(keys(2, 3), floats(1, 1))
    await table.lookup(keys(3, 3))
    assert.is(await table.shrink({ belowUses: 1 }), 0)
    assert.is(await table.shrink({ belowUses: 2 }), 1)
    assert.is(await table.shrink({ belowUses: 3.5 }), 1)
    assert.equal(await sorted(table), [3n])
    assert.equal(await evictions(table), [
      [1n, 'shrink'],
      [2n, 'shrink'],
    ])
  })

  test(`decay with ${policy} makes uses count less`, async (context) => {
    const table = await make(context, { policy })
    for (let i = 0; i < 8; i++) await table.push(keys(1), floats(1))
    await table.push(keys(2), floats(1))
    await table.decay(1)
    assert.is(await table.shrink({ belowUses: 1 }), 0)
    await table.decay(0.5)
    assert.is(await table.shrink({ belowUses: 1 }), 1)
    assert.is(await table.shrink({ belowUses: 4 }), 0)
    assert.is(await table.shrink({ belowUses: 4.5 }), 1)
    await table.push(keys(3), floats(1))
    await table.decay(0)
    assert.is(await table.shrink({ belowUses: 0.5 }), 1)
  })
}

test('shrink by age takes what is unused for so long', async (context) => {
  const table = await make(context, { policy: 'ttl', ttlMs: 100_000_000, log: 5 })
  await table.push(keys(1, 2, 3), floats(1, 1, 1))
  assert.is(await table.shrink({ unseenMs: 50_000_000 }), 0)
  assert.is(await table.shrink({ unseenMs: Number.MAX_SAFE_INTEGER }), 0)
  const short = await make(context, { policy: 'lru', ttlMs: 65_536 })
  await short.push(keys(1, 2, 3), floats(1, 1, 1))
  let gone = 0
  await eventually('three rows are a millisecond old', async () => {
    gone += await short.shrink({ unseenMs: 1 })
    return gone === 3
  })
})

test('shrink asked for several things takes what any of them holds for', async (context) => {
  const table = await make(context, { policy: 'lfu' })
  await table.update(keys(1, 2, 3), floats(1, 9, 9))
  await table.lookup(keys(1, 3))
  assert.is(await table.shrink({ belowUses: 2, belowNorm: 2 }), 2)
  assert.equal(await sorted(table), [3n])
})

test('shrink asked for nothing takes nothing', async (context) => {
  const table = await make(context, { policy: 'lfu' })
  await table.push(keys(1), floats(0))
  assert.is(await table.shrink({}), 0)
  assert.is(await table.shrink({ belowNorm: 0, belowUses: 0, unseenMs: 0 }), 0)
  assert.is((await table.stats()).rows, 1)
})

test('shrink and evict leave the memory to the next rows', async (context) => {
  const table = await make(context, { policy: 'random' }, { dim: 16 })
  const rows = filled(80_000, 1)
  await table.push(keyRange(0, 5000), rows)
  const { rowMemoryBytes } = await table.stats()
  for (let round = 1; round < 6; round++) {
    const gone = round % 2 ? await table.shrink({ belowNorm: 1e9 }) : await table.evict(5000)
    assert.is(gone, 5000)
    await table.push(keyRange(round * 5000, 5000), rows)
  }
  assert.is((await table.stats()).rowMemoryBytes, rowMemoryBytes)
})

test('shrink that the policy cannot answer is refused, and says why', async (context) => {
  const [plain, lru] = [await make(context), await make(context, { policy: 'lru' })]
  const lfu = await make(context, { policy: 'lfu' })
  const cases: [Table, object, RegExp][] = [
    [plain, { unseenMs: 1 }, /^unseenMs: expected a table with eviction\.ttlMs/],
    [lru, { unseenMs: 1 }, /^unseenMs: /],
    [lfu, { unseenMs: 1, belowUses: 5 }, /^unseenMs: /],
    [plain, { belowUses: 1 }, /^belowUses: expected .*'lfu' or 'ageingLfu'/],
    [lru, { belowUses: 0.1, belowNorm: 100 }, /^belowUses: /],
  ]
  for (const table of [plain, lru, lfu]) await table.push(keys(1), floats(1))
  for (const [table, options, message] of cases) {
    assertRefusal(await errorOf(() => table.shrink(options)), { kind: 'StoreError', message })
  }
  for (const table of [plain, lru, lfu]) assert.is((await table.stats()).rows, 1)
})

test('decay where nothing is counted does nothing', async (context) => {
  for (const eviction of [undefined, { policy: 'lru' } as const]) {
    const table = await make(context, eviction)
    await table.push(keys(1), floats(5))
    await table.decay(0)
    same(await table.lookup(keys(1)), [5])
  }
})

test('scores choose who goes: negative, zero, equal, and of new rows 0', async (context) => {
  const table = await make(context, { policy: 'lowestScore', log: 20 })
  const batch = keys(1, 2, 3, 4, 5, 6)
  await table.push(batch, filled(6, 1))
  const scores = floats(-1e30, -0.5, 0.25, 1e-20, 3.4e38, -1e-20)
  assert.is(await table.setScores(batch, scores), 6)
  await table.push(keys(7), floats(1))
  for (let i = 0; i < 7; i++) await table.evict(1)
  const order = (await evictions(table)).map(([key]) => key)
  assert.equal([...order.slice(0, 2), ...order.slice(-2)], [1n, 2n, 3n, 5n])
})

test('setScores passes over keys without a row; of equal keys the last counts', async (context) => {
  const table = await make(context, { policy: 'lowestScore', log: 20 })
  await table.push(keys(0, kLastKey), floats(1, 1))
  const batch = keys(0, 5, kLastKey, 0)
  assert.is(await table.setScores(batch, floats(9, 9, 1, -1)), 3)
  assert.is(await table.setScores(keys(), floats()), 0)
  assert.is(await table.evict(1), 1)
  assert.equal(await evictions(table), [[0n, 'demand']])
  assert.is((await table.stats()).rows, 1)
})

test('scores and their keys may be refilled at once', async (context) => {
  const table = await make(context, { policy: 'lowestScore', log: 20 })
  await table.push(keys(1, 2), floats(1, 1))
  const [batch, scores] = [keys(1, 2), floats(-5, 5)]
  const scoring = table.setScores(batch, scores)
  batch.fill(7n)
  scores.fill(0)
  assert.is(await scoring, 2)
  await table.evict(1)
  assert.equal(await evictions(table), [[1n, 'demand']])
})

test('a table that has reserved does not grow until it holds more', async (context) => {
  const table = await make(context, undefined, { dim: 8, optimizer: adam() })
  await table.reserve(20_000)
  const before = await table.stats()
  assert.ok(before.rowMemoryBytes >= 20_000 * before.rowBytes)
  for (let from = 0; from < 20_000; from += 1000) {
    await table.push(keyRange(from, 1000), filled(8000, 1))
  }
  const after = await table.stats()
  assert.equal(
    [after.grownShards, after.rowMemoryBytes, after.indexMemoryBytes],
    [before.grownShards, before.rowMemoryBytes, before.indexMemoryBytes],
  )
  assert.is(after.rows, 20_000)
})

test('reserving what is there already, or nothing, changes nothing', async (context) => {
  const table = await make(context)
  await table.push(keyRange(0, 3000), filled(3000, 1))
  const before = await table.stats()
  for (const rows of [0, 1, 2999, 3000]) await table.reserve(rows)
  assert.equal(await table.stats(), before)
})

test('more than there is room for is refused, and the table works on', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const table = await store.table('t', { dim: 64, optimizer: sum() })
  await table.push(keys(1), filled(64, 1))
  const before = await table.stats()
  for (const rows of [1e6, 2 ** 32 - 1, 2 ** 32 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    const message = new RegExp(`^table 't': ${rows} rows would not fit`)
    const refusal = { kind: 'StoreError', code: 'ERR_CAPACITY', message } as const
    assertRefusal(await errorOf(() => table.reserve(rows)), refusal)
  }
  assert.equal(await table.stats(), before)
  await table.push(keyRange(0, 1000), filled(64_000, 1))
})

test('reserve and evict keep their place in the order of calls', async (context) => {
  const table = await make(context, { policy: 'random' })
  const batch = keyRange(0, 10)
  const results = await Promise.all([
    table.reserve(100),
    table.evict(3),
    table.push(batch, filled(10, 1)),
    table.evict(3),
    table.stats().then(({ rows }) => rows),
    table.shrink({ belowNorm: 10 }),
    table.decay(0.5),
    table.stats().then(({ rows }) => rows),
  ])
  const nothing = undefined
  assert.equal(results, [nothing, 0, nothing, 3, 7, 7, nothing, 0])
})

test('groups and slots do not keep a row from going', async (context) => {
  const groups = [{ firstSlot: 7, lastSlot: 7, frozen: true }]
  const table = await make(context, { policy: 'lru', maxRows: 10 }, { groups })
  for (let i = 0; i < 100; i += 5) {
    await table.push(
      BigUint64Array.from({ length: 5 }, (_, j) => slotKey(7, i + j)),
      filled(5, 1),
    )
  }
  assert.ok((await table.stats()).rows <= 10)
})

test('every figure of a table is a number', async (context) => {
  const admission = { minCount: 2, capacity: 1000 }
  const table = await make(context, { policy: 'lfu', maxRows: 100 }, { admission })
  await table.push(keyRange(0, 50), filled(50, 1))
  const stats = await table.stats()
  for (const [name, value] of Object.entries(stats)) assert.ok(Number.isFinite(value), name)
  assert.is(stats.bucketKeys, 4)
  assert.is((await (await make(context)).stats()).bucketKeys, 5)
  assert.ok(stats.filterMemoryBytes >= 1000)
})

test.run()
