// Guarantee E1 as callers meet it: calls take effect in the order they were made, awaited or not,
// and with the arguments they had when they were made.

import { type Store, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, same } from './support/arrays.ts'
import { open } from './support/open.ts'

const test = suite<{ store: Store }>('order')

test.before.each(async (context) => {
  context.store = await open(':memory:')
})
test.after.each((context) => context.store.close())

const makeTable = (store: Store, dim = 2) => store.table('t', { dim, optimizer: sum() })

test('a lookup sees the pushes made before it and none made after', async ({ store }) => {
  const table = await makeTable(store, 1)
  const seen: Promise<Float32Array>[] = []
  const pushes: Promise<void>[] = []
  for (let i = 0; i < 200; i++) {
    seen.push(table.lookup(keys(5)))
    pushes.push(table.push(keys(5), floats(1)))
  }
  const values = await Promise.all(seen)
  same(
    values.map((value) => value[0] as number),
    Array.from({ length: 200 }, (_, i) => i),
  )
  await Promise.all(pushes)
})

test('every kind of call keeps its place in the order', async ({ store }) => {
  const table = await makeTable(store, 1)
  const dense = await store.dense('d', { shape: [1], optimizer: sum() })
  const one = keys(1)
  const bag = Uint32Array.of(0, 1)
  const results = await Promise.all([
    table.push(one, floats(1)),
    table.lookup(one),
    table.update(one, floats(10)),
    store.lookupAll([[table, one]]).then(([rows]) => rows),
    store.pushAll([[table, one, floats(5)]]),
    table.lookupPooled(one, bag),
    table.erase(one),
    table.lookup(one),
    table.pushPooled(one, bag, floats(3)),
    table.stats().then((stats) => floats(stats.rows)),
    dense.push(floats(4)),
    dense.pull(),
    table.lookup(one),
    store.stats().then((stats) => floats(stats.rows, stats.dense)),
  ])
  const shown = results.map((result) => (typeof result === 'object' ? [...result] : result))
  const nothing = undefined
  assert.equal(shown, [
    ...[nothing, [1], nothing, [10], nothing, [15], 1],
    ...[[0], nothing, [1], nothing, [4], [3], [1, 1]],
  ])
})

test('promises settle in the order of the calls', async ({ store }) => {
  const table = await makeTable(store)
  const settled: number[] = []
  const big = keyRange(0, 50_000)
  const calls = [
    table.push(big, filled(100_000, 1)),
    table.lookup(keys(1)),
    table.push(keys(1), floats(Number.NaN, 1)),
    table.lookup(big),
    table.lookup(keys(1)),
  ]
  const note = (i: number) => () => settled.push(i)
  await Promise.all(calls.map((call, i) => (call as Promise<unknown>).then(note(i), note(i))))
  assert.equal(settled, [0, 1, 2, 3, 4])
})

test('keys, gradients, offsets and weights may be refilled at once', async ({ store }) => {
  const table = await makeTable(store)
  const [k, g] = [keys(1, 2), floats(1, 2, 3, 4)]
  const [offsets, weights] = [Uint32Array.of(0, 1, 2), floats(2, 3)]
  const garble = () => {
    k.fill(99n)
    g.fill(99)
    offsets.fill(7)
    weights.fill(-1)
  }
  const restore = () => {
    k.set([1n, 2n])
    g.set([1, 2, 3, 4])
    offsets.set([0, 1, 2])
    weights.set([2, 3])
  }
  const made: Promise<unknown>[] = []
  const garbled = <T>(promise: Promise<T>): Promise<T> => {
    garble()
    restore()
    garble()
    made.push(promise)
    restore()
    return promise
  }
  await garbled(table.push(k, g))
  const pooled = garbled(table.lookupPooled(k, offsets, { weights }))
  const pushing = garbled(table.pushPooled(k, offsets, g, { weights }))
  const looked = garbled(table.lookup(k))
  void garbled(table.update(k.subarray(0, 1), g.subarray(0, 2)))
  void garbled(store.pushAll([[table, k, g]]))
  const all = garbled(store.lookupAll([[table, k]]))
  garble()
  await Promise.all([...made, pushing])
  same(await pooled, [2, 4, 9, 12])
  same(await looked, [3, 6, 12, 16])
  same((await all)[0] as Float32Array, [2, 4, 15, 20])
  same(await table.lookup(keys(99)), [0, 0])
})

test('what the caller writes into a result changes no row', async ({ store }) => {
  const table = await makeTable(store)
  await table.push(keys(1), floats(1, 2))
  ;(await table.lookup(keys(1))).fill(50)
  table.lookupSync(keys(1)).fill(50)
  same(await table.lookup(keys(1)), [1, 2])
})

test('one array may be out of several calls: the last one stands', async ({ store }) => {
  const table = await makeTable(store)
  const out = filled(2, 9)
  await table.push(keys(1), floats(1, 2))
  const first = table.lookup(keys(1), { out })
  const second = table.lookup(keys(7), { out })
  assert.is(await first, out)
  assert.is(await second, out)
  same(out, [0, 0])
})

test('lookupSync sees what has been awaited', async ({ store }) => {
  const table = await makeTable(store, 16)
  for (let step = 1; step <= 50; step++) {
    await table.push(keyRange(0, 100), filled(1600, 1))
    assert.ok(table.lookupSync(keyRange(0, 100)).every((value) => value === step))
  }
})

test('lookupSync while pushes are under way sees whole rows', async ({ store }) => {
  const [dim, count] = [32, 1000]
  const table = await makeTable(store, dim)
  const many = keyRange(0, count)
  const ones = filled(count * dim, 1)
  const out = new Float32Array(count * dim)
  const pushes: Promise<void>[] = []
  const differing = new Set<number>()
  for (let look = 0; look < 60; look++) {
    for (let i = 0; i < 5; i++) pushes.push(table.push(many, ones))
    table.lookupSync(many, out)
    for (let i = 0; i < out.length; i++) {
      const first = out[i - (i % dim)] as number
      if (out[i] !== first) throw new Error(`half a row: ${first} and ${out[i]} of key ${i / dim}`)
      differing.add(first)
    }
    await new Promise(setImmediate)
  }
  await Promise.all(pushes)
  assert.ok(differing.size > 10, 'looked while pushes were under way')
  same(table.lookupSync(keys(0)), filled(dim, 300))
})

test.run()
