// Admission: which keys get a row, what those without one cost, and what is told of them.

import { type AdmissionOptions, adagrad, constant, type Table, type TableOptions } from 'hotrow'
import * as assert from 'uvu/assert'
import { bitsOf, filled, floats, keyRange, keys, kLastKey, same } from './support/arrays.ts'
import { open } from './support/open.ts'
import { scanned } from './support/pages.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'
import { newTable, type TableContext, tableSuite } from './support/tables.ts'

const test = tableSuite('admission')

/** A new table of dim 1 and sum whose rows begin at 0.5. */
function make(
  context: TableContext,
  admission: AdmissionOptions,
  options: Partial<TableOptions> = {},
): Promise<Table> {
  return newTable(context, { initializer: constant(0.5), ...options, admission })
}

const kCounting: AdmissionOptions[] = [
  { minCount: 3 },
  { kind: 'count', minCount: 3 },
  { minCount: 3, capacity: 10_000 },
  { kind: 'bloom', minCount: 3, capacity: 10_000 },
]

for (const admission of kCounting) {
  const what = JSON.stringify(admission)

  test(`${what}: the third gradient makes the row, the first two are dropped`, async (context) => {
    const table = await make(context, admission)
    await table.push(keys(1), floats(10))
    await table.push(keys(1), floats(20))
    same(await table.lookup(keys(1)), [0.5])
    assert.is((await table.stats()).rows, 0)
    await table.push(keys(1), floats(40))
    same(await table.lookup(keys(1)), [40.5])
    await table.push(keys(1), floats(1))
    same(await table.lookup(keys(1)), [41.5])
    const { rows, created, pushes, notAdmitted } = await table.stats()
    assert.equal([rows, created, pushes, notAdmitted], [1, 1, 4, 2])
  })

  test(`${what}: equal keys of a call count each, and come in together`, async (context) => {
    const table = await make(context, admission)
    await table.push(keys(1, 2, 1, 2, 1, 0, kLastKey), floats(1, 2, 3, 4, 5, 6, 7))
    same(await table.lookup(keys(1, 2, 0, kLastKey)), [9.5, 0.5, 0.5, 0.5])
    await table.push(keys(2), floats(8))
    same(await table.lookup(keys(2)), [8.5])
  })

  test(`${what}: keys without a row are missing, not found and not scanned`, async (context) => {
    const table = await make(context, admission, { missing: 'zeros' })
    await table.push(keys(1, 2, 1, 1), filled(4, 1))
    const found = new Uint8Array(1)
    same(await table.lookup(keys(2, 1), { found }), [0, 3.5])
    assert.equal(bitsOf(found, 2), [false, true])
    same(table.lookupSync(keys(2), undefined, { missing: -3 }), [-3])
    assert.equal([...(await scanned(table)).keys()], [1n])
    assert.is(await table.erase(keys(2)), 0)
  })

  test(`${what}: update makes rows of all its keys`, async (context) => {
    const table = await make(context, admission)
    await table.push(keys(2), floats(1))
    await table.update(keys(1, 2), floats(7, 8))
    same(await table.lookup(keys(1, 2)), [7, 8])
    await table.push(keys(1), floats(1))
    same(await table.lookup(keys(1)), [8])
  })

  test(`${what}: pooled pushes count as pushes do`, async (context) => {
    const table = await make(context, admission)
    await table.pushPooled(keys(1, 2, 1, 1), Uint32Array.of(0, 2, 4), floats(1, 10))
    same(await table.lookup(keys(1, 2)), [21.5, 0.5])
  })

  test(`${what}: lookups do not count`, async (context) => {
    const table = await make(context, admission)
    for (let i = 0; i < 10; i++) await table.lookup(keys(1))
    await table.push(keys(1), floats(1))
    assert.is((await table.stats()).rows, 0)
  })

  test(`${what}: a push that is refused does not count`, async (context) => {
    const table = await make(context, admission)
    for (let i = 0; i < 5; i++) {
      await errorOf(() => table.push(keys(1, 2), floats(1, Number.NaN)))
    }
    await table.push(keys(1, 2), floats(1, 1))
    await table.push(keys(1, 2), floats(1, 1))
    assert.is((await table.stats()).rows, 0)
    await table.push(keys(1), floats(1))
    assert.is((await table.stats()).rows, 1)
  })

  test(`${what}: decay forgets`, async (context) => {
    const table = await make(context, admission)
    await table.push(keys(1, 1), floats(1, 1))
    await table.decay(0.5)
    await table.push(keys(1), floats(1))
    assert.is((await table.stats()).rows, 0)
    await table.decay(0)
    await table.push(keys(1, 1), floats(1, 1))
    assert.is((await table.stats()).rows, 0)
    await table.decay(1)
    await table.push(keys(1), floats(1))
    assert.is((await table.stats()).rows, 1)
  })

  test(`${what}: an evicted key has to come in again`, async (context) => {
    const table = await make(context, admission, { eviction: { policy: 'lru' } })
    await table.push(keys(1, 1, 1), filled(3, 1))
    assert.is(await table.evict(5), 1)
    await table.decay(0)
    await table.push(keys(1, 1), filled(2, 1))
    assert.is((await table.stats()).rows, 0)
    await table.push(keys(1), floats(1))
    assert.is((await table.stats()).rows, 1)
  })
}

test('counted keys are candidates until they have a row or are erased', async (context) => {
  const table = await make(context, { minCount: 2 })
  await table.push(keyRange(0, 100), filled(100, 1))
  assert.is((await table.stats()).candidates, 100)
  await table.push(keyRange(0, 30), filled(30, 1))
  await table.erase(keyRange(90, 10))
  const { rows, candidates } = await table.stats()
  assert.equal([rows, candidates], [30, 60])
  await table.push(keyRange(90, 10), filled(10, 1))
  assert.is((await table.stats()).rows, 30, 'an erased candidate begins anew')
  await table.decay(0)
  assert.is((await table.stats()).candidates, 0)
})

test('rows are few where most keys come once', async (context) => {
  const table = await make(context, { minCount: 2 }, { dim: 64 })
  for (let step = 0; step < 10; step++) {
    const batch = keyRange(1000 + step * 2000, 2000)
    batch.set(keyRange(0, 100))
    await table.push(batch, filled(2000 * 64, 1))
  }
  const { rows, candidates, created } = await table.stats()
  assert.equal([rows, created, candidates], [100, 100, 19_000])
})

test('a filter lets in what comes often enough, and little else', async (context) => {
  const table = await make(context, { minCount: 4, capacity: 100_000 })
  const often = keyRange(0, 2000)
  for (let step = 0; step < 4; step++) {
    await table.push(often, filled(2000, 1))
    const batch = keyRange(1_000_000 + step * 20_000, 20_000)
    await table.push(batch, filled(20_000, 1))
  }
  const rows = await scanned(table)
  for (const key of often) assert.ok(rows.has(key), `key ${key} came in too late`)
  assert.ok(rows.size < 2000 + 800, `${rows.size - 2000} of 80,000 keys came in too soon`)
  const { candidates, filterMemoryBytes } = await table.stats()
  assert.is(candidates, 0)
  assert.ok(filterMemoryBytes >= 100_000)
})

test('probability lets in about that share of the pushes', async (context) => {
  const table = await make(context, { probability: 0.25 })
  await table.push(keyRange(0, 10_000), filled(10_000, 1))
  const first = (await table.stats()).rows
  assert.ok(first > 2200 && first < 2800, `${first} of 10,000`)
  await table.push(keyRange(0, 10_000), filled(10_000, 1))
  const second = (await table.stats()).rows
  assert.ok(second > 4000 && second < 4750, `${second} of 10,000`)
  for (let i = 0; i < 100; i++) await table.push(keyRange(0, 1000), filled(1000, 1))
  const found = new Uint8Array(125)
  await table.lookup(keyRange(0, 1000), { found })
  assert.ok(found.every((byte) => byte === 255))
})

test('the same pushes let the same keys in, on any number of threads', async () => {
  for (const admission of [{ probability: 0.5 }, { minCount: 2 }]) {
    const seen: unknown[] = []
    for (const threads of [1, 4]) {
      await using store = await open(':memory:', { threads })
      const table = await store.table('t', { dim: 1, optimizer: adagrad(), admission })
      for (let step = 0; step < 4; step++) {
        const batch = BigUint64Array.from({ length: 20_000 }, (_, i) => BigInt((i * i) % 30_011))
        await table.push(batch, filled(20_000, 1))
      }
      const rows = [...(await scanned(table))]
      seen.push(rows.map(([key, [value]]) => [key, value]))
    }
    assert.equal(seen[0], seen[1])
  }
})

test('all is the default, and minCount 1 means it', async (context) => {
  for (const admission of [{}, { kind: 'all' as const }, { minCount: 1 }]) {
    const table = await make(context, admission)
    await table.push(keys(1), floats(1))
    assert.is((await table.stats()).rows, 1)
    await context.store.table(table.name, { ...table.options, admission: { kind: 'all' } })
    const { admission: _, ...without } = table.options
    await context.store.table(table.name, without)
  }
})

test('a table opened with other admission or eviction is refused', async (context) => {
  const eviction = { policy: 'lru', maxRows: 100 } as const
  const options: TableOptions = { dim: 1, admission: { minCount: 2 }, eviction }
  await context.store.table('t', options)
  await context.store.table('t', { ...options, admission: { kind: 'count', minCount: 2 } })
  const { admission: _a, ...noAdmission } = options
  const { eviction: _e, ...noEviction } = options
  const others: [TableOptions, RegExp][] = [
    [{ ...options, admission: { minCount: 3 } }, /: admission$/],
    [{ ...options, admission: { probability: 0.5 } }, /: admission$/],
    [noAdmission, /: admission$/],
    [noEviction, /: eviction$/],
    [{ ...options, eviction: { ...eviction, maxRows: 101 } }, /: eviction$/],
    [{ ...options, eviction: { ...eviction, log: 1 } }, /: eviction$/],
    [{ ...options, eviction: { ...eviction, background: true } }, /: eviction$/],
  ]
  for (const [other, message] of others) {
    const error = await errorOf(() => context.store.table('t', other))
    assertRefusal(error, { kind: 'StoreError', code: 'ERR_CONFLICT', message })
  }
})

test('a table says its admission and eviction, whatever becomes of them', async (context) => {
  const admission = { minCount: 2 }
  const eviction = { policy: 'lru', maxRows: 100 } as { policy: 'lru' | 'lfu'; maxRows: number }
  const opening = context.store.table('t', { dim: 1, admission, eviction })
  admission.minCount = 5
  eviction.policy = 'lfu'
  const { options } = await opening
  assert.equal(options.admission, { minCount: 2 })
  assert.equal(options.eviction, { policy: 'lru', maxRows: 100 })
  assert.ok(Object.isFrozen(options.admission) && Object.isFrozen(options.eviction))
})

test('a filter that would not fit is refused, and no table is made', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  for (const capacity of [10_000_000, 1e12]) {
    const options = { dim: 1, admission: { minCount: 2, capacity } }
    const refusal = { kind: 'StoreError', code: 'ERR_CAPACITY', message: /counting/ } as const
    assertRefusal(await errorOf(() => store.table('t', options)), refusal)
  }
  const { tables, memoryUsedBytes } = await store.stats()
  assert.equal([tables, memoryUsedBytes], [0, 0])
  await store.table('t', { dim: 1, admission: { minCount: 2, capacity: 10_000 } })
})

test.run()
