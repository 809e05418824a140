// Options of one lookup: which keys were found, what missing ones give, reads that do not wait; and
// the optimizer's state of rows.

import {
  adagrad,
  adam,
  amsgrad,
  constant,
  ftrl,
  rowwiseAdagrad,
  type Store,
  sgd,
  sum,
  type Table,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  bitsOf,
  close,
  filled,
  floats,
  keyRange,
  keys,
  randomNumbers,
  same,
} from './support/arrays.ts'
import { open } from './support/open.ts'

const test = suite<{ store: Store; table: Table }>('lookup options')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  const initializer = constant(0.5)
  context.table = await context.store.table('t', { dim: 2, optimizer: sum(), initializer })
  await context.table.update(keys(1, 2, 3), floats(1, 10, 2, 20, 3, 30))
})
test.after.each(({ store }) => store.close())

/** The bits of `found` on both ways to look up. */
async function foundBoth(table: Table, batch: BigUint64Array): Promise<boolean[]> {
  const [found, there] = [0, 0].map(() => new Uint8Array(Math.ceil(batch.length / 8)).fill(0xa5))
  await table.lookup(batch, { found: found as Uint8Array })
  table.lookupSync(batch, undefined, { found: there as Uint8Array })
  assert.equal(there, found)
  const all = bitsOf(found as Uint8Array, (found as Uint8Array).length * 8)
  assert.not(all.slice(batch.length).includes(true), 'a bit past the last key')
  return all.slice(0, batch.length)
}

test('found tells the keys with a row from those without', async ({ table }) => {
  const batch = keys(9, 1, 1, 8, 3, 0, 2 ** 40, 2, 7)
  const expected = [false, true, true, false, true, false, false, true, false]
  assert.equal(await foundBoth(table, batch), expected)
  await table.erase(keys(1))
  assert.equal((await foundBoth(table, batch)).slice(0, 3), [false, false, false])
})

test('found of any number of keys has no bit past the last', async ({ table }) => {
  for (let count = 0; count <= 70; count++) {
    const batch = BigUint64Array.from({ length: count }, (_, i) => BigInt(i % 5))
    const expected = Array.from(batch, (key) => key >= 1n && key <= 3n)
    assert.equal(await foundBoth(table, batch), expected)
  }
})

test('found of large batches, many of their keys several times', async ({ store }) => {
  const table = await store.table('large', { dim: 1, optimizer: sum() })
  const next = randomNumbers(5)
  for (const range of [200, 100_000]) {
    const rows = keyRange(0, range).filter((key) => key % 3n === 0n)
    await table.update(rows, filled(rows.length, 1))
    for (let round = 0; round < 3; round++) {
      const batch = BigUint64Array.from({ length: 20_001 }, () => BigInt((next() * range) | 0))
      const expected = Array.from(batch, (key) => key % 3n === 0n)
      assert.equal(await foundBoth(table, batch), expected)
    }
  }
})

test('found may be a view, of whose buffer the rest is left alone', async ({ table }) => {
  const whole = new Uint8Array(5).fill(0xff)
  await table.lookup(keys(1, 9), { found: whole.subarray(1, 2) })
  table.lookupSync(keys(9, 1), undefined, { found: Buffer.from(whole.buffer, 3, 1) })
  assert.equal([...whole], [0xff, 1, 0xff, 2, 0xff])
})

test('one array may be found of several lookups: the last one stands', async ({ table }) => {
  const found = new Uint8Array(1)
  const looks = [table.lookup(keys(1, 9), { found }), table.lookup(keys(9, 1), { found })]
  assert.equal([...found], [0], 'filled when the promise resolves')
  await Promise.all(looks)
  assert.equal([...found], [2])
})

test('missing is what keys without a row give, all their values', async ({ store, table }) => {
  const zeros = await store.table('zeros', { dim: 2, optimizer: sum(), missing: 'zeros' })
  await zeros.update(keys(1), floats(1, 10))
  for (const missing of [0, -0.25, 7, 1e-30, 3.4028234663852886e38]) {
    const value = Math.fround(missing)
    for (const each of [table, zeros]) {
      same(await each.lookup(keys(8, 1, 8), { missing }), [value, value, 1, 10, value, value])
      same(each.lookupSync(keys(8, 1), undefined, { missing }), [value, value, 1, 10])
    }
  }
  same(await table.lookup(keys(8)), [0.5, 0.5])
  same(await zeros.lookup(keys(8)), [0, 0])
  assert.is((await table.stats()).rows, 3)
})

test('missing and found agree on large batches, with repetition and without', async ({ store }) => {
  const table = await store.table('large', { dim: 3, optimizer: sum() })
  await table.update(keyRange(0, 5000), filled(15_000, 1))
  for (const modulus of [100, 10_000]) {
    const batch = BigUint64Array.from({ length: 20_000 }, (_, i) => BigInt((i * 7) % modulus) * 2n)
    for (let round = 0; round < 2; round++) {
      const found = new Uint8Array(2500)
      const rows = await table.lookup(batch, { found, missing: -1 })
      const expected = Float32Array.from(rows, (_, i) => (batch[(i / 3) | 0]! < 5000n ? 1 : -1))
      assert.equal(rows, expected)
      assert.equal(
        bitsOf(found, 20_000),
        Array.from(batch, (key) => key < 5000n),
      )
    }
  }
})

test('options are read when the call is made', async ({ table }) => {
  const options = { missing: 1, found: new Uint8Array(1) }
  const looking = table.lookup(keys(1, 9), options)
  const first = options.found
  options.missing = 5
  options.found = new Uint8Array(1)
  same(await looking, [1, 10, 1, 1])
  assert.equal([first[0], options.found[0]], [1, 0])
})

test('options that are empty or undefined are none', async ({ table }) => {
  const rows = await table.lookup(keys(1, 9))
  assert.equal(await table.lookup(keys(1, 9), {}), rows)
  assert.equal(table.lookupSync(keys(1, 9), undefined, {}), rows)
  const nothing = { found: undefined, missing: undefined, relaxed: undefined } as never
  assert.equal(await table.lookup(keys(1, 9), nothing), rows)
  assert.equal(table.lookupSync(keys(1, 9), undefined, nothing), rows)
})

test('a relaxed lookup gives the same rows where nobody writes', async ({ store, table }) => {
  const large = await store.table('large', { dim: 40, optimizer: sum() })
  await large.update(keyRange(0, 6000), filled(240_000, 2))
  const cases: [Table, BigUint64Array][] = [
    [table, keys(1, 9, 3)],
    [large, keyRange(3000, 6000)],
  ]
  for (const [each, batch] of cases) {
    const rows = await each.lookup(batch)
    for (const relaxed of [true, false]) {
      assert.equal(await each.lookup(batch, { relaxed }), rows)
      assert.equal(each.lookupSync(batch, undefined, { relaxed }), rows)
    }
  }
})

test('relaxed lookups while rows are updated give values that somebody wrote', async (context) => {
  const [dim, count] = [48, 500]
  const table = await context.store.table('hot', { dim, optimizer: sum() })
  const many = keyRange(0, count)
  await table.update(many, filled(count * dim, 0))
  const out = new Float32Array(count * dim)
  const found = new Uint8Array(Math.ceil(count / 8))
  const updates: Promise<void>[] = []
  for (let round = 1; round <= 40; round++) {
    for (let i = 0; i < 4; i++) updates.push(table.update(many, filled(count * dim, round)))
    table.lookupSync(many, out, { relaxed: true, found })
    assert.ok(out.every((value) => Number.isInteger(value) && value >= 0 && value <= round))
    assert.ok(bitsOf(found, count).every(Boolean))
    await new Promise(setImmediate)
  }
  await Promise.all(updates)
  same(table.lookupSync(many, out, { relaxed: true }), filled(count * dim, 40))
})

test('the state of a row is what the rule says, and of other keys its beginning', async (c) => {
  const optimizer = adagrad({ initialAccumulator: 0.25 })
  const table = await c.store.table('adagrad', { dim: 2, optimizer })
  await table.push(keys(1), floats(2, 3))
  await table.update(keys(2), floats(7, 7))
  assert.is(table.stateValues, 2)
  const found = new Uint8Array(1)
  const state = await table.lookupState(keys(1, 2, 9, 1), { found })
  same(state, [4.25, 9.25, 0.25, 0.25, 0.25, 0.25, 4.25, 9.25])
  assert.equal(bitsOf(found, 4), [true, true, false, true])
  const out = filled(2, 5)
  assert.is(await table.lookupState(keys(1), { out }), out)
  same(out, [4.25, 9.25])
  const { lookups, rows } = await table.stats()
  assert.equal([lookups, rows], [0, 2], 'reading state is no use of a row')
})

test('the state of adam is m and v, in f32 whatever the rows are', async ({ store }) => {
  for (const valueType of ['f32', 'f16'] as const) {
    const table = await store.table(valueType, { dim: 2, valueType, optimizer: adam() })
    await table.push(keys(5), floats(1, -2))
    close(await table.lookupState(keys(5)), [0.1, -0.2, 0.001, 0.004], 1e-7)
    same(await table.lookupState(keys(6)), [0, 0, 0, 0])
  }
})

test('stateValues counts the values that each rule keeps', async ({ store }) => {
  const rules = { sgd: sgd(), sum: sum(), rowwise: rowwiseAdagrad(), adagrad: adagrad() }
  const larger = { adam: adam(), ftrl: ftrl(), amsgrad: amsgrad() }
  const counts: [string, number][] = []
  for (const [name, optimizer] of Object.entries({ ...rules, ...larger })) {
    const table = await store.table(name, { dim: 4, optimizer })
    counts.push([name, table.stateValues])
    assert.is((await table.lookupState(keys(1, 2, 3))).length, 3 * table.stateValues)
  }
  assert.equal(Object.fromEntries(counts), {
    ...{ sgd: 0, sum: 0, rowwise: 1, adagrad: 4 },
    ...{ adam: 8, ftrl: 8, amsgrad: 12 },
  })
})

test('a rule without state gives none, and still what was found', async ({ table }) => {
  const found = new Uint8Array(1)
  const state = await table.lookupState(keys(1, 9, 2), { found, out: new Float32Array(0) })
  assert.is(state.length, 0)
  assert.equal(bitsOf(found, 3), [true, false, true])
})

test('a lookup of state keeps its place in the order of calls', async ({ store }) => {
  const optimizer = adagrad({ initialAccumulator: 0 })
  const table = await store.table('order', { dim: 1, optimizer })
  const seen: Promise<Float32Array>[] = []
  for (let i = 0; i < 50; i++) {
    seen.push(table.lookupState(keys(1)))
    void table.push(keys(1), floats(1))
  }
  same(
    (await Promise.all(seen)).map((state) => state[0] as number),
    Array.from({ length: 50 }, (_, i) => i),
  )
})

test.run()
