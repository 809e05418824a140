// lookupConcat: lookups of several tables into one array, side by side.

import {
  type ConcatPlace,
  type ConcatRequest,
  constant,
  type Store,
  sum,
  type Table,
  uniform,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, randomNumbers, same } from './support/arrays.ts'
import { open } from './support/open.ts'

interface Context {
  store: Store
  users: Table
  items: Table
}

const test = suite<Context>('concat')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.users = await context.store.table('user', { dim: 2, optimizer: sum() })
  const initializer = constant(9)
  context.items = await context.store.table('item', { dim: 3, optimizer: sum(), initializer })
  await context.users.update(keys(1, 2), floats(1, 2, 3, 4))
  await context.items.update(keys(1, 2), floats(10, 20, 30, 40, 50, 60))
})
test.after.each(({ store }) => store.close())

/** The result on the lane and on the calling thread, which must be the same. */
async function both(
  store: Store,
  requests: readonly ConcatRequest[],
  options?: { stride?: number },
): Promise<Float32Array> {
  const rows = await store.lookupConcat(requests, options)
  assert.equal(store.lookupConcatSync(requests, options), rows)
  return rows
}

test('rows lie side by side in the order of the requests', async ({ store, users, items }) => {
  const rows = await both(store, [
    [items, keys(2, 1)],
    [users, keys(1, 7)],
  ])
  same(rows, [40, 50, 60, 1, 2, 10, 20, 30, 0, 0])
  assert.is((await items.stats()).rows, 2)
})

test('offset and stride place the columns; the others are 0', async ({ store, users, items }) => {
  const rows = await both(
    store,
    [
      [items, keys(1, 2), { offset: 4 }],
      [users, keys(2, 1), { offset: 1 }],
    ],
    { stride: 8 },
  )
  same(rows, [0, 3, 4, 0, 10, 20, 30, 0, 0, 1, 2, 0, 40, 50, 60, 0])
})

test('a request without offset goes behind the one before it', async ({ store, users }) => {
  const rows = await both(store, [
    [users, keys(1), { offset: 5 }],
    [users, keys(2)],
    [users, keys(1), { offset: 0 }],
    [users, keys(2)],
  ])
  same(rows, [1, 2, 3, 4, 0, 1, 2, 3, 4])
})

test('without stride a row is as long as the last column needs', async ({ store, users }) => {
  const requests: ConcatRequest[] = [
    [users, keys(1), { offset: 3 }],
    [users, keys(2), { offset: 0 }],
  ]
  same(await both(store, requests), [3, 4, 0, 1, 2])
})

test('repeat gives each row several times, one after the other', async (context) => {
  const { store, users, items } = context
  const rows = await both(store, [
    [users, keys(1, 2), { repeat: 2 }],
    [items, keys(1, 2, 9, 2)],
  ])
  const expected = [
    ...[1, 2, 10, 20, 30],
    ...[1, 2, 40, 50, 60],
    ...[3, 4, 9, 9, 9],
    ...[3, 4, 40, 50, 60],
  ]
  same(rows, expected)
  same(await both(store, [[users, keys(2), { repeat: 3 }]]), [3, 4, 3, 4, 3, 4])
})

test('one table may come twice, with keys of its own each time', async ({ store, users }) => {
  const rows = await both(store, [
    [users, keys(1, 2)],
    [users, keys(2, 2)],
  ])
  same(rows, [1, 2, 3, 4, 3, 4, 3, 4])
})

test('found and missing are each request’s own', async ({ store, users, items }) => {
  const [first, second] = [new Uint8Array(1).fill(255), new Uint8Array(1).fill(255)]
  const requests: ConcatRequest[] = [
    [users, keys(7, 1), { found: first, missing: -1, repeat: 2 }],
    [items, keys(1, 7, 2, 7), { found: second, relaxed: true }],
  ]
  const expected = [
    ...[-1, -1, 10, 20, 30],
    ...[-1, -1, 9, 9, 9],
    ...[1, 2, 40, 50, 60],
    ...[1, 2, 9, 9, 9],
  ]
  same(await store.lookupConcat(requests), expected)
  assert.equal([first[0], second[0]], [2, 5])
  first.fill(255)
  second.fill(255)
  same(store.lookupConcatSync(requests), expected)
  assert.equal([first[0], second[0]], [2, 5])
})

test('nothing to look up gives nothing', async ({ store, users, items }) => {
  assert.is((await both(store, [])).length, 0)
  assert.is((await both(store, [], { stride: 7 })).length, 0)
  const requests: ConcatRequest[] = [
    [users, keys(), { found: new Uint8Array(0), repeat: 5 }],
    [items, keys(), { offset: 100 }],
  ]
  assert.is((await both(store, requests)).length, 0)
  assert.is((await both(store, requests, { stride: 200 })).length, 0)
})

test('out is filled and returned; columns of no request stay', async ({ store, users }) => {
  const whole = filled(10, 7)
  const out = whole.subarray(1, 9)
  const requests: ConcatRequest[] = [[users, keys(1, 2), { offset: 1 }]]
  assert.is(store.lookupConcatSync(requests, { out, stride: 4 }), out)
  same(whole, [7, 7, 1, 2, 7, 7, 3, 4, 7, 7])
  const small = filled(6, 7)
  assert.is(store.lookupConcatSync(requests, { out: small }), small)
  same(small, [7, 1, 2, 7, 3, 4])
  const nothing = store.lookupConcatSync(requests, { out: undefined } as never)
  same(nothing, [0, 1, 2, 0, 3, 4])
})

test('the same as the lookups one by one, at random', async ({ store }) => {
  const next = randomNumbers(17)
  const below = (n: number): number => Math.floor(next() * n)
  const tables: Table[] = []
  for (const dim of [1, 2, 5, 16, 17, 64]) {
    const initializer = uniform(1)
    const table = await store.table(`t${dim}`, { dim, optimizer: sum(), initializer })
    await table.push(keyRange(0, 500), filled(500 * dim, 1))
    tables.push(table)
  }
  for (let round = 0; round < 60; round++) {
    const rows = below(3) === 0 ? 12_000 : below(40)
    const requests: [Table, BigUint64Array, ConcatPlace][] = []
    let end = 0
    for (let i = 0; i <= below(5); i++) {
      const table = tables[below(tables.length)] as Table
      const repeat = [1, 2, 3].filter((n) => rows % n === 0)[below(2)] ?? 1
      const batch = BigUint64Array.from({ length: rows / repeat }, () => BigInt(below(1000)))
      const offset = end + below(3)
      end = offset + table.dim
      requests.push([table, batch, { offset, repeat }])
    }
    const stride = end + below(2)
    const expected = new Float32Array(rows * stride)
    for (const [table, batch, { offset = 0, repeat = 1 }] of requests) {
      const looked = table.lookupSync(batch)
      for (let row = 0; row < rows; row++) {
        const from = Math.floor(row / repeat) * table.dim
        expected.set(looked.subarray(from, from + table.dim), row * stride + offset)
      }
    }
    requests.sort(() => next() - 0.5)
    assert.equal(await both(store, requests, { stride }), expected)
  }
})

test('it sees the pushes made before and none made after', async ({ store, users, items }) => {
  const seen: Promise<Float32Array>[] = []
  for (let i = 0; i < 100; i++) {
    seen.push(
      store.lookupConcat([
        [users, keys(5)],
        [items, keys(1)],
      ]),
    )
    void users.push(keys(5), floats(1, 1))
  }
  const values = (await Promise.all(seen)).map((rows) => [...rows])
  assert.equal(
    values,
    Array.from({ length: 100 }, (_, i) => [i, i, 10, 20, 30]),
  )
})

test('keys may be refilled at once, and found is filled at the end', async ({ store, users }) => {
  const batch = keys(1, 9)
  const found = new Uint8Array(1)
  const looking = store.lookupConcat([[users, batch, { found }]])
  batch.fill(2n)
  assert.is(found[0], 0)
  same(await looking, [1, 2, 0, 0])
  assert.is(found[0], 1)
})

test('places are read when the call is made', async ({ store, users }) => {
  const place: ConcatPlace = { offset: 1, repeat: 2 }
  const options = { stride: 4 }
  const request: [Table, BigUint64Array, ConcatPlace] = [users, keys(1), place]
  const requests = [request]
  const looking = store.lookupConcat(requests, options)
  place.offset = 0
  place.repeat = 1
  options.stride = 2
  request[1] = keys(2)
  requests.length = 0
  same(await looking, [0, 1, 2, 0, 0, 1, 2, 0])
})

test('results are ordinary arrays of their own', async ({ store, users }) => {
  const [a, b] = await Promise.all([
    store.lookupConcat([[users, keys(1)]]),
    store.lookupConcat([[users, keys(1)]]),
  ])
  a.fill(0)
  same(b, [1, 2])
  assert.is(b.buffer.byteLength, b.byteLength)
  assert.is(structuredClone(b, { transfer: [b.buffer as ArrayBuffer] }).length, 2)
})

test('lookups are counted once a key, whatever repeat is', async ({ store, users }) => {
  const before = await users.stats()
  await store.lookupConcat([[users, keys(1, 9), { repeat: 10 }]])
  store.lookupConcatSync([[users, keys(1)]])
  const after = await users.stats()
  assert.equal([after.lookups - before.lookups, after.hits - before.hits], [3, 2])
})

test('tables with admission and eviction take part', async ({ store, users }) => {
  const options = { dim: 1, optimizer: sum(), initializer: constant(4) }
  const rare = await store.table('rare', { ...options, admission: { minCount: 2 } })
  const few = await store.table('few', { ...options, eviction: { policy: 'lru', maxRows: 10 } })
  await rare.push(keys(1, 2, 2), floats(1, 1, 1))
  await few.push(keys(1), floats(1))
  const requests: ConcatRequest[] = [
    [rare, keys(1, 2)],
    [users, keys(1, 2)],
    [few, keys(1, 2), { missing: 0 }],
  ]
  same(await both(store, requests), [4, 1, 2, 5, 6, 3, 4, 0])
})

test.run()
