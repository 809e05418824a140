// A table: lookup, push, update, erase and stats, one call at a time.

import { adagrad, constant, type Table, type TableOptions } from 'hotrow'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, kLastKey, same } from './support/arrays.ts'
import { newTable, type TableContext, tableSuite } from './support/tables.ts'

const test = tableSuite('table')

/** A new table, of dim 2 and sum unless told otherwise. */
function make(context: TableContext, options: Partial<TableOptions> = {}) {
  return newTable(context, { dim: 2, ...options })
}

const rowCount = async (table: Table): Promise<number> => (await table.stats()).rows

test('a table knows its name, dim and options', async ({ store }) => {
  const optimizer = adagrad({ learningRate: 0.5 })
  const table = await store.table('user', { dim: 3, optimizer })
  assert.equal([table.name, table.dim], ['user', 3])
  assert.equal(table.options, { dim: 3, optimizer })
  assert.throws(() => Object.assign(table.options, { dim: 4 }), TypeError)
})

test('a lookup of a missing key gives the initial row and writes nothing', async (context) => {
  const table = await make(context, { initializer: constant(0.5) })
  same(await table.lookup(keys(1, 2)), [0.5, 0.5, 0.5, 0.5])
  same(table.lookupSync(keys(1, 2)), [0.5, 0.5, 0.5, 0.5])
  assert.is(await rowCount(table), 0)
})

test('missing: zeros answers zeros; pushes begin at the initial row', async (context) => {
  const table = await make(context, { initializer: constant(0.5), missing: 'zeros' })
  same(await table.lookup(keys(1)), [0, 0])
  await table.push(keys(1), floats(1, 2))
  same(await table.lookup(keys(1, 2)), [1.5, 2.5, 0, 0])
})

test('the whole key space is legal, the ends and the middle too', async (context) => {
  const table = await make(context)
  const all = keys(
    0,
    1,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 63n - 1n,
    2n ** 63n,
    kLastKey - 1n,
    kLastKey,
  )
  const rows = Float32Array.from({ length: all.length * 2 }, (_, i) => i + 1)
  await table.push(all, rows)
  same(await table.lookup(all), rows)
  same(await table.lookup(keys(2, 2n ** 33n)), [0, 0, 0, 0])
  assert.is(await table.erase(all), all.length)
  assert.is(await rowCount(table), 0)
})

test('a push sums the gradients of equal keys and makes one row of them', async (context) => {
  const table = await make(context, { initializer: constant(1) })
  await table.push(keys(5, 6, 5, 5), floats(1, 2, 10, 20, 3, 4, 5, 6))
  same(await table.lookup(keys(5, 6)), [10, 13, 11, 21])
  assert.is(await rowCount(table), 2)
})

test('duplicates are summed in batch order, in f32', async (context) => {
  const table = await make(context, { dim: 1 })
  const values = [1e8, 1, -1e8, 1, 0.1, 3]
  let expected = values[0] as number
  for (const value of values.slice(1)) expected = Math.fround(expected + Math.fround(value))
  await table.push(keys(9, 9, 9, 9, 9, 9), floats(...values))
  same(await table.lookup(keys(9)), [expected])
})

test('a thousand times one key is one row', async (context) => {
  const table = await make(context, { dim: 3 })
  await table.push(new BigUint64Array(1000).fill(7n), filled(3000, 1))
  same(await table.lookup(keys(7)), [1000, 1000, 1000])
  assert.is(await rowCount(table), 1)
})

test('an update assigns rows; of equal keys the last wins', async (context) => {
  const table = await make(context)
  await table.push(keys(1), floats(5, 5))
  await table.update(keys(1, 2, 1), floats(1, 1, 2, 2, 3, 4))
  same(await table.lookup(keys(1, 2)), [3, 4, 2, 2])
  assert.is(await rowCount(table), 2)
})

test('an update leaves the state of the optimizer as it is', async (context) => {
  const options = { optimizer: adagrad({ learningRate: 1, initialAccumulator: 0 }) }
  const table = await make(context, options)
  await table.push(keys(1), floats(3, 4))
  await table.update(keys(1, 2), floats(0, 0, 0, 0))
  await table.push(keys(1, 2), floats(4, 3, 4, 3))
  same(
    (await table.lookup(keys(1, 2))).map((x) => Math.round(x * 1e6) / 1e6),
    floats(-0.8, -0.6, -1, -1),
  )
})

test('erase removes rows with their state and says how many', async (context) => {
  const optimizer = adagrad({ learningRate: 1, initialAccumulator: 0 })
  const table = await make(context, { initializer: constant(1), optimizer })
  await table.push(keys(1, 2), floats(1, 1, 1, 1))
  assert.is(await table.erase(keys(1, 3, 1)), 1)
  assert.is(await table.erase(keys(1)), 0)
  same(await table.lookup(keys(1)), [1, 1])
  await table.push(keys(1), floats(1, 1))
  same(await table.lookup(keys(1)), [0, 0])
})

test('erased rows are used again', async (context) => {
  const table = await make(context)
  await table.push(keyRange(0, 5000), filled(10_000, 1))
  const before = await table.stats()
  for (let round = 1; round <= 5; round++) {
    assert.is(await table.erase(keyRange((round - 1) * 5000, 5000)), 5000)
    await table.push(keyRange(round * 5000, 5000), filled(10_000, round))
  }
  const after = await table.stats()
  assert.is(after.rows, 5000)
  assert.is(after.rowMemoryBytes, before.rowMemoryBytes)
  same(await table.lookup(keys(0, 25_001)), [0, 0, 5, 5])
})

test('batches without keys are fine everywhere', async (context) => {
  const table = await make(context)
  const none = new BigUint64Array(0)
  const noFloats = new Float32Array(0)
  assert.is((await table.lookup(none)).length, 0)
  assert.is(table.lookupSync(none).length, 0)
  assert.is(await table.lookup(none, { out: noFloats }), noFloats)
  await table.push(none, noFloats)
  await table.update(none, noFloats)
  assert.is(await table.erase(none), 0)
  assert.is((await table.lookupPooled(none, Uint32Array.of(0))).length, 0)
  same(await table.lookupPooled(none, Uint32Array.of(0, 0, 0)), [0, 0, 0, 0])
  await table.pushPooled(none, Uint32Array.of(0), noFloats)
  assert.is(await rowCount(table), 0)
})

test('out is filled and returned', async (context) => {
  const table = await make(context)
  await table.push(keys(1, 2), floats(1, 2, 3, 4))
  const out = filled(4, 9)
  assert.is(await table.lookup(keys(2, 3), { out }), out)
  same(out, [3, 4, 0, 0])
  assert.is(table.lookupSync(keys(1, 1), out), out)
  same(out, [1, 2, 1, 2])
  assert.is(await table.lookupPooled(keys(1, 2), Uint32Array.of(0, 2, 2), { out }), out)
  same(out, [4, 6, 0, 0])
})

test('out may be a view into a larger array, of which the rest is left alone', async (context) => {
  const table = await make(context)
  await table.push(keys(1), floats(1, 2))
  const whole = filled(8, 9)
  await table.lookup(keys(1), { out: whole.subarray(3, 5) })
  same(whole, [9, 9, 9, 1, 2, 9, 9, 9])
  table.lookupSync(keys(1), whole.subarray(6))
  same(whole, [9, 9, 9, 1, 2, 9, 1, 2])
})

test('keys and gradients may be views into larger arrays', async (context) => {
  const table = await make(context)
  const gradients = floats(0, 1, 2, 3, 4, 5)
  await table.push(keys(1, 2, 3, 4).subarray(1, 3), gradients.subarray(1, 5))
  same(await table.lookup(keys(1, 2, 3, 4).subarray(1)), [1, 2, 3, 4, 0, 0])
  assert.is(await rowCount(table), 2)
})

test('results of large lookups are ordinary arrays of their own', async (context) => {
  const table = await make(context, { dim: 16 })
  const many = keyRange(0, 5000)
  await table.push(many, filled(80_000, 2))
  const [a, b] = await Promise.all([table.lookup(many), table.lookup(many)])
  a.fill(0)
  same(b.subarray(79_990), filled(10, 2))
  assert.is(a.buffer.byteLength, a.byteLength)
  assert.is(structuredClone(b, { transfer: [b.buffer as ArrayBuffer] }).length, 80_000)
})

test('stats count what was done', async (context) => {
  const table = await make(context)
  await table.push(keys(1, 2, 1), filled(6, 1))
  await table.update(keys(3, 3), filled(4, 1))
  await table.lookup(keys(1, 8, 9))
  table.lookupSync(keys(2, 8))
  await table.lookupPooled(keys(3, 9), Uint32Array.of(0, 2))
  await table.erase(keys(1, 9))
  const stats = await table.stats()
  const { rows, pushes, updates, created, erased, lookups, hits, skippedGradients } = stats
  assert.equal(
    { rows, pushes, updates, created, erased },
    {
      rows: 2,
      pushes: 3,
      updates: 2,
      created: 3,
      erased: 1,
    },
  )
  assert.equal({ lookups, hits, skippedGradients }, { lookups: 7, hits: 3, skippedGradients: 0 })
})

test('a table grows from empty to many rows and keeps them all', async (context) => {
  const table = await make(context, { dim: 1 })
  const count = 200_000
  const all = keyRange(0, count)
  for (let i = 0; i < count; i += 20_000) {
    const part = all.subarray(i, i + 20_000)
    await table.push(part, Float32Array.from(part, Number))
  }
  const found = await table.lookup(all)
  assert.ok(found.every((value, i) => value === i))
  const stats = await table.stats()
  assert.is(stats.rows, count)
  assert.ok(stats.grownShards > 0)
  assert.ok(stats.indexMemoryBytes >= stats.buckets * 64)
  assert.ok(stats.rowMemoryBytes >= count * stats.rowBytes)
})

test.run()
