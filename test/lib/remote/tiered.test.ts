// A table with a tier behind it: what a lookup gives, what it asks for, and what it does when the
// tier does not answer as it should.

import { setTimeout as sleep } from 'node:timers/promises'
import {
  lookupAllTiered,
  open,
  type Store,
  StoreError,
  type Table,
  type TieredOptions,
  type TieredTable,
  tieredTable,
  uniform,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bitsOf, filled, floats, keys, kLastKey, same } from '../support/arrays.ts'
import { errorOf } from '../support/refusals.ts'
import { bytesOf, MapTier, VersionedMapTier } from '../support/tiers.ts'

interface Context {
  store: Store
  local: Table
  tier: MapTier
}

const test = suite<Context>('tiered')

const kOptions = { dim: 2, initializer: uniform(0.5) }

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.local = await context.store.table('t', kOptions)
  context.tier = new MapTier()
})
test.after.each(({ store }) => store.close())

function view({ local, tier }: Context, options: TieredOptions = {}): TieredTable {
  return tieredTable(local, tier, options)
}

test('rows of the local table, of the tier and of neither, in one batch', async (context) => {
  const { local, tier } = context
  await local.update(keys(1, 5), floats(1, 1.5, 5, 5.5))
  tier.put('t', 0n, -1, -2)
  tier.put('t', kLastKey, 7, 8)
  tier.put('t', 1n, 99, 99)
  const batch = keys(kLastKey, 1, 0, 3, kLastKey, 5, 3, 0, 1)
  const found = filled(2, 0) as unknown as Uint8Array
  const bits = new Uint8Array(found.length)
  const rows = await view(context).lookup(batch, { found: bits })
  const initial = [...(await local.lookup(keys(3)))]
  same(rows, [7, 8, 1, 1.5, -1, -2, ...initial, 7, 8, 5, 5.5, ...initial, -1, -2, 1, 1.5])
  assert.equal(bitsOf(bits, 9), [true, true, true, false, true, true, false, true, true])
  assert.is((bits[1] as number) >> 1, 0)
  // One call, each missed key once; a row of the local table is not asked for.
  assert.equal(tier.calls, [[kLastKey, 0n, 3n]])
})

test('a batch that the local table has asks nobody', async (context) => {
  const { local, tier } = context
  await local.update(keys(1, 2), filled(4, 1))
  const tiered = view(context)
  same(await tiered.lookup(keys(2, 1, 2)), filled(6, 1))
  same(await tiered.lookup(keys()), [])
  assert.is(tier.calls.length, 0)
  const { requests, localHits } = tiered.stats()
  assert.equal([requests, localHits], [0, 3])
})

test('missing rows give what was wished for', async (context) => {
  context.tier.put('t', 2n, 3, 4)
  const rows = await view(context).lookup(keys(1, 2), { missing: -7 })
  same(rows, [-7, -7, 3, 4])
  const zeros = await context.store.table('zeros', { ...kOptions, missing: 'zeros' })
  same(await tieredTable(zeros, context.tier).lookup(keys(1)), [0, 0])
})

test('the caller may refill its keys at once', async (context) => {
  context.tier.put('t', 1n, 1, 1)
  context.tier.put('t', 2n, 2, 2)
  const batch = keys(1, 2)
  const looked = view(context).lookup(batch)
  batch.fill(0n)
  same(await looked, [1, 1, 2, 2])
})

test('null is a missing row too', async (context) => {
  context.tier.instead = () => [null, bytesOf(1, 2), undefined]
  same(await view(context).lookup(keys(1, 2, 3), { missing: 0 }), [0, 0, 1, 2, 0, 0])
})

test('a row comes into the local table with its second miss', async (context) => {
  const { local, tier } = context
  for (const key of [1n, 2n, 3n]) tier.put('t', key, Number(key), 0)
  const tiered = view(context)
  const has = async (key: number): Promise<boolean> => {
    const found = new Uint8Array(1)
    await local.lookup(keys(key), { found })
    return found[0] === 1
  }
  await tiered.lookup(keys(1, 2, 1, 1))
  assert.is(await has(1), false)
  same(await tiered.lookup(keys(1, 3)), [1, 0, 3, 0])
  assert.equal([await has(1), await has(2), await has(3)], [true, false, false])
  same(await tiered.lookup(keys(1, 2)), [1, 0, 2, 0])
  assert.equal(tier.calls, [[1n, 2n], [1n, 3n], [2n]])
  same(await tiered.lookup(keys(1, 2)), [1, 0, 2, 0])
  assert.is(tier.calls.length, 3)
  const expected = { keys: 10, localHits: 3, remoteHits: 7, missing: 0, requests: 3 }
  assert.equal(tiered.stats(), { ...expected, failures: 0, promoted: 2, refused: 0 })
})

for (const [promoteAfter, calls] of [
  [0, 8],
  [1, 1],
  [3, 3],
  [8, 8],
] as const) {
  test(`promoteAfter ${promoteAfter}: of eight lookups ${calls} ask the tier`, async (context) => {
    context.tier.put('t', 4n, 4, 4)
    const tiered = view(context, { promoteAfter })
    for (let i = 0; i < 8; i++) same(await tiered.lookup(keys(4)), [4, 4])
    assert.is(context.tier.calls.length, calls)
  })
}

test('keys that are nowhere are not promoted', async (context) => {
  const tiered = view(context, { promoteAfter: 1 })
  for (let i = 0; i < 3; i++) await tiered.lookup(keys(1))
  assert.is((await context.local.stats()).rows, 0)
})

test('the oldest promoted rows go when there are promotedRows of them', async (context) => {
  const { local, tier } = context
  for (let key = 0n; key < 100n; key++) tier.put('t', key, Number(key), 1)
  await local.update(keys(1000), filled(2, 1))
  const tiered = view(context, { promoteAfter: 1, promotedRows: 7 })
  for (let key = 0; key < 100; key += 5) await tiered.lookup(keys(key, key + 1, key + 2))
  assert.is((await local.stats()).rows, 8)
  await tiered.lookup(BigUint64Array.from({ length: 30 }, (_, i) => BigInt(i + 20)))
  assert.is((await local.stats()).rows, 8)
  const found = new Uint8Array(1)
  same(await local.lookup(keys(48, 49), { found }), [48, 1, 49, 1])
  assert.is(found[0], 3)
})

test('a local table makes room by its own policy', async (context) => {
  const eviction = { policy: 'lru', maxRows: 100 } as const
  const local = await context.store.table('small', { dim: 2, eviction })
  for (let key = 0n; key < 1000n; key++) context.tier.put('small', key, Number(key), 1)
  const tiered = tieredTable(local, context.tier, { promoteAfter: 1 })
  for (let key = 0; key < 1000; key += 10) {
    const batch = BigUint64Array.from({ length: 10 }, (_, i) => BigInt(key + i))
    same(
      await tiered.lookup(batch),
      [...batch].flatMap((each) => [Number(each), 1]),
    )
  }
  assert.ok((await local.stats()).rows <= 100)
  assert.is(tiered.stats().promoted, 1000)
})

test('a local table that is full refuses, and the lookup is none the worse', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const local = await store.table('full', { dim: 4096 })
  const tier = new MapTier()
  const row = new Uint8Array(filled(4096, 3).buffer)
  tier.instead = () => new Array(100).fill(row)
  const tiered = tieredTable(local, tier, { promoteAfter: 1 })
  for (let key = 0; key < 2000; key += 100) {
    const batch = BigUint64Array.from({ length: 100 }, (_, i) => BigInt(key + i))
    same(await tiered.lookup(batch), filled(100 * 4096, 3))
  }
  const { rows } = await local.stats()
  const { promoted, refused } = tiered.stats()
  assert.ok(refused > 0 && promoted > 0)
  assert.equal([promoted + refused, promoted], [2000, rows])
})

test('a row of NaN is given and not promoted', async (context) => {
  context.tier.put('t', 1n, Number.NaN, 1)
  const tiered = view(context, { promoteAfter: 1 })
  for (let i = 0; i < 2; i++) assert.ok(Number.isNaN((await tiered.lookup(keys(1)))[0]))
  assert.is((await context.local.stats()).rows, 0)
  assert.is(tiered.stats().refused, 2)
})

test('lookups under way share the request of a key', async (context) => {
  const { tier } = context
  for (const key of [1n, 2n, 3n]) tier.put('t', key, Number(key), 0)
  let release = (): void => {}
  tier.hold = new Promise<void>((resolve) => {
    release = resolve
  })
  const tiered = view(context)
  const first = tiered.lookup(keys(1, 2))
  while (tier.calls.length === 0) await sleep(1)
  const second = tiered.lookup(keys(2, 3))
  const third = tiered.lookup(keys(1))
  while (tier.calls.length < 2) await sleep(1)
  await sleep(5)
  release()
  same(await first, [1, 0, 2, 0])
  same(await second, [2, 0, 3, 0])
  same(await third, [1, 0])
  assert.equal(tier.calls, [[1n, 2n], [3n]])
  await tiered.lookup(keys(2))
})

test('who stops waiting ends nobody else’s request', async (context) => {
  const { tier } = context
  tier.put('t', 1n, 1, 0)
  tier.hold = sleep(50)
  const tiered = view(context)
  const controller = new AbortController()
  const out = filled(2, 9)
  const leaving = errorOf(() => tiered.lookup(keys(1), { out, signal: controller.signal }))
  const staying = tiered.lookup(keys(1))
  await sleep(10)
  controller.abort(new Error('enough'))
  assert.is((await leaving).message, 'enough')
  same(await staying, [1, 0])
  same(out, [9, 9])
  assert.is(tier.calls.length, 1)
  const aborted = AbortSignal.abort(new Error('before'))
  assert.is((await errorOf(() => tiered.lookup(keys(1), { signal: aborted }))).message, 'before')
})

/** What a tier may do wrong, and what a lookup says to it. */
const kFailures: [string, () => unknown, string, RegExp][] = [
  [
    'an error',
    () => Promise.reject(new Error('no route')),
    'ERR_IO_ERROR',
    /reading 2 rows of 't' from the remote tier failed: no route/,
  ],
  ['no array', () => 'rows', 'ERR_CORRUPTION', /gave none rows for 2 keys of 't'/],
  ['too few rows', () => [undefined], 'ERR_CORRUPTION', /gave 1 rows for 2 keys of 't'/],
  [
    'a row too short',
    () => [undefined, new Uint8Array(7)],
    'ERR_CORRUPTION',
    /the row of key 3 of 't' in the remote tier has 7 bytes, expected 8/,
  ],
  [
    'a row too long',
    () => [bytesOf(1, 2, 3), bytesOf(1, 2)],
    'ERR_CORRUPTION',
    /the row of key 2 of 't' in the remote tier has 12 bytes, expected 8/,
  ],
  ['no bytes', () => [bytesOf(1, 2), 'text'], 'ERR_CORRUPTION', /key 3 of 't'.* has no bytes/],
]

for (const [what, instead, code, message] of kFailures) {
  test(`a tier that gives ${what}: the lookup rejects and out is as it was`, async (context) => {
    const { local, tier } = context
    await local.update(keys(1), floats(1, 1))
    tier.instead = instead
    const out = filled(6, 9)
    const found = Uint8Array.of(0xaa)
    const tiered = view(context)
    const error = await errorOf(() => tiered.lookup(keys(1, 2, 3), { out, found }))
    assert.instance(error, StoreError)
    assert.is(error.code, code, error.message)
    assert.match(error.message, message)
    same(out, filled(6, 9))
    assert.is(found[0], 0xaa)
    tier.instead = undefined
    tier.put('t', 2n, 2, 2)
    same(await tiered.lookup(keys(2), { out: out.subarray(0, 2), found }), [2, 2])
    assert.is(found[0], 1)
  })
}

test('a tier that is slow: ERR_IO_ERROR after timeoutMs, retryable', async (context) => {
  const { tier } = context
  tier.put('t', 1n, 1, 1)
  tier.hold = sleep(300)
  const tiered = view(context, { timeoutMs: 30 })
  const started = performance.now()
  const error = await errorOf(() => tiered.lookup(keys(1)))
  assert.ok(performance.now() - started < 290)
  assert.is(error.code, 'ERR_IO_ERROR')
  assert.match(error.message, /reading 1 rows of 't' from the remote tier took longer than 30 ms/)
  assert.is((error as StoreError).retryable, true)
  tier.hold = undefined
  same(await tiered.lookup(keys(1)), [1, 1])
})

test('onError missing: as if the tier had no rows, and that is counted', async (context) => {
  const { local, tier } = context
  await local.update(keys(1), floats(1, 1))
  tier.instead = () => Promise.reject(new Error('down'))
  const tiered = view(context, { onError: 'missing' })
  const found = new Uint8Array(1)
  same(await tiered.lookup(keys(1, 2), { missing: 0, found }), [1, 1, 0, 0])
  assert.is(found[0], 1)
  tier.instead = () => [new Uint8Array(1)]
  assert.is((await errorOf(() => tiered.lookup(keys(2)))).code, 'ERR_CORRUPTION')
  const { failures, missing } = tiered.stats()
  assert.equal([failures, missing], [1, 1])
})

test('a closed store', async (context) => {
  const tiered = view(context)
  await context.store.close()
  assert.is((await errorOf(() => tiered.lookup(keys(1)))).code, 'ERR_CLOSED')
})

/** A tier with versions 1 and 2 of the tables a and b: every value is its version. */
function twoVersions(): VersionedMapTier {
  const tier = new VersionedMapTier()
  for (const version of [1, 2]) {
    tier.rows = new Map()
    for (const table of ['a', 'b']) {
      for (let key = 0n; key < 50n; key++) tier.put(table, key, version, version)
    }
    tier.versions.set(version, tier.rows)
  }
  tier.version = 1
  return tier
}

test('a switch forgets what was promoted, and nothing else', async ({ store }) => {
  const tier = twoVersions()
  const local = await store.table('a', { dim: 2 })
  await local.update(keys(100), floats(8, 8))
  const tiered = tieredTable(local, tier, { promoteAfter: 1 })
  same(await tiered.lookup(keys(1, 2, 100)), [1, 1, 1, 1, 8, 8])
  assert.is((await local.stats()).rows, 3)
  tier.version = 2
  same(await tiered.lookup(keys(2, 1, 100)), [2, 2, 2, 2, 8, 8])
  tier.version = 1
  same(await tiered.lookup(keys(2, 1)), [1, 1, 1, 1])
  same(await tiered.lookup(keys(2, 1)), [1, 1, 1, 1])
  assert.is((await local.stats()).rows, 3)
})

test('several tables are read at one version, whatever is switched', async ({ store }) => {
  const tier = twoVersions()
  const views: TieredTable[] = []
  for (const name of ['a', 'b']) {
    views.push(tieredTable(await store.table(name, { dim: 2 }), tier, { promoteAfter: 1 }))
  }
  const [a, b] = views as [TieredTable, TieredTable]
  let done = false
  const switching = (async () => {
    for (let i = 0; i < 60; i++) {
      await sleep(1)
      tier.version = 1 + (i % 2)
    }
    done = true
  })()
  const seen = new Set<number>()
  const reader = async (seed: number): Promise<void> => {
    for (let i = seed; !done; i += 3) {
      const batch = keys(i % 50, (i * 7) % 50, (i * 11) % 50)
      const found = new Uint8Array(1)
      const [ofA, ofB] = await lookupAllTiered([
        [a, batch, { found }],
        [b, batch],
      ])
      const values = new Set([...(ofA as Float32Array), ...(ofB as Float32Array)])
      assert.is(values.size, 1, `of two versions: ${[...values]}`)
      assert.is(found[0], 7)
      seen.add([...values][0] as number)
    }
  }
  await Promise.all([reader(0), reader(1), reader(2), switching])
  assert.equal([...seen].sort(), [1, 2])
})

test('a version that is removed under a lookup: it begins anew', async ({ store }) => {
  const tier = twoVersions()
  const tiered = tieredTable(await store.table('a', { dim: 2 }), tier)
  tier.hold = sleep(20)
  const looked = tiered.lookup(keys(1, 2))
  await sleep(5)
  tier.versions.delete(1)
  tier.version = 2
  same(await looked, [2, 2, 2, 2])
  tier.versions.clear()
  assert.is((await errorOf(() => tiered.lookup(keys(3)))).code, 'ERR_NOT_FOUND')
})

test.run()
