// Figures: memory by purpose, latencies of operations, hot keys.

import { adam, type Store, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange } from './support/arrays.ts'
import { open } from './support/open.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'

const test = suite<{ store: Store }>('stats')

test.before.each(async (context) => {
  context.store = await open(':memory:')
})
test.after.each((context) => context.store.close())

test('memory by purpose adds up to what is used', async ({ store }) => {
  const admission = { minCount: 2, capacity: 1000 }
  await store.table('filtered', { dim: 4, admission, hotKeys: 8 })
  await store.dense('w', { shape: [10, 10], optimizer: adam() })
  const table = await store.table('t', { dim: 8 })
  await table.push(keyRange(0, 1000), filled(8000, 1))
  const stats = await store.stats()
  assert.ok(stats.rowMemoryBytes >= 32_000)
  assert.ok(stats.indexMemoryBytes >= 8_000)
  assert.ok(stats.filterMemoryBytes > 0)
  assert.ok(stats.hotKeysMemoryBytes > 0)
  assert.is(stats.denseMemoryBytes, 100 * 4 * 3)
  assert.is(
    stats.memoryUsedBytes,
    stats.rowMemoryBytes +
      stats.indexMemoryBytes +
      stats.filterMemoryBytes +
      stats.hotKeysMemoryBytes +
      stats.denseMemoryBytes,
  )
})

test('every operation has its latencies', async ({ store }) => {
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  const keys = keyRange(0, 100)
  const bag = Uint32Array.of(0, 100)
  await table.push(keys, filled(100, 1))
  await table.update(keys, filled(100, 1))
  await table.lookup(keys)
  table.lookupSync(keys)
  await table.lookupPooled(keys, bag)
  await table.erase(keys)
  const { latency } = await store.stats()
  assert.is(latency.lookup.count, 2)
  for (const name of ['push', 'update', 'lookupPooled', 'erase'] as const) {
    const { count, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = latency[name]
    assert.is(count, 1, name)
    assert.ok(meanNs > 0 && p50Ns > 0, name)
    assert.equal([p90Ns, p99Ns, p999Ns], [p50Ns, p50Ns, p50Ns], 'one call: all percentiles are it')
    assert.ok(maxNs >= p50Ns, name)
  }
})

test('hot keys are those used most', async ({ store }) => {
  const table = await store.table('t', { dim: 1, hotKeys: 4 })
  const keys = keyRange(1000, 4096)
  for (let i = 0; i < keys.length; i += 2) keys[i] = 7n
  for (let round = 0; round < 10; round++) await table.lookup(keys)
  const [hottest, ...others] = await table.hotKeys()
  assert.is(hottest?.key, 7n)
  assert.ok((hottest?.count ?? 0) > 10_000, `${hottest?.count} of 20480`)
  assert.ok(others.every(({ count }) => count <= (hottest?.count ?? 0)))
  assert.is((await table.hotKeys(1)).length, 1)
  assert.equal(await table.hotKeys(0), [])
})

test('hot keys must have been asked for', async ({ store }) => {
  const table = await store.table('t', { dim: 1 })
  const refusal = {
    kind: 'StoreError',
    code: 'ERR_INVALID_ARGUMENT',
    message: /^hotKeys:/,
  } as const
  assertRefusal(await errorOf(() => table.hotKeys()), refusal)
  for (const most of [-1, 0.5, 65_537, Number.NaN]) {
    assert.throws(() => table.hotKeys(most), /^most: expected an integer from 0 to 65536/)
  }
  for (const hotKeys of [-1, 0.5, 4097]) {
    assert.throws(() => store.table('u', { dim: 1, hotKeys }), /hotKeys: expected an integer/)
  }
})

test.run()
