// lookupAll and pushAll: calls over several tables, all or nothing.

import { adagrad, constant, type Store, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keys, same } from './support/arrays.ts'
import { open } from './support/open.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'

interface Context {
  store: Store
  users: Table
  items: Table
}

const test = suite<Context>('several')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.users = await context.store.table('user', { dim: 2, optimizer: sum() })
  const initializer = constant(1)
  context.items = await context.store.table('item', { dim: 3, optimizer: sum(), initializer })
})
test.after.each((context) => context.store.close())

const counts = async (...tables: Table[]): Promise<number[]> =>
  Promise.all(tables.map(async (table) => (await table.stats()).rows))

test('lookupAll gives one result a request, in order', async ({ store, users, items }) => {
  await users.push(keys(1), floats(5, 6))
  const [i, u, again] = await store.lookupAll([
    [items, keys(1)],
    [users, keys(2, 1)],
    [items, keys(4, 5)],
  ])
  same(i as Float32Array, [1, 1, 1])
  same(u as Float32Array, [0, 0, 5, 6])
  same(again as Float32Array, filled(6, 1))
  assert.equal(await counts(users, items), [1, 0])
})

test('lookupAll fills and returns out where one is given', async ({ store, users, items }) => {
  const out = filled(3, 9)
  const [u, i] = await store.lookupAll([
    [users, keys(1)],
    [items, keys(1), out],
  ])
  assert.is(i, out)
  same(out, [1, 1, 1])
  same(u as Float32Array, [0, 0])
})

test('nothing to do is fine', async ({ store, users }) => {
  assert.equal(await store.lookupAll([]), [])
  await store.pushAll([])
  const [none] = await store.lookupAll([[users, keys()]])
  assert.is(none?.length, 0)
  await store.pushAll([[users, keys(), floats()]])
  assert.equal(await counts(users), [0])
})

test('pushAll pushes to every table', async ({ store, users, items }) => {
  await store.pushAll([
    [users, keys(1, 1), floats(1, 2, 3, 4)],
    [items, keys(1), floats(1, 2, 3)],
  ])
  same(await users.lookup(keys(1)), [4, 6])
  same(await items.lookup(keys(1)), [2, 3, 4])
})

test('pushAll is the same as the pushes one by one', async ({ store }) => {
  const options = { dim: 4, optimizer: adagrad(), seed: 3 }
  const tables = await Promise.all(['a', 'b', 'c', 'd'].map((name) => store.table(name, options)))
  const [a, b, c, d] = tables as [Table, Table, Table, Table]
  for (let step = 1; step <= 5; step++) {
    const [k, g] = [keys(step, 7, step), Float32Array.from({ length: 12 }, (_, i) => i - step)]
    await store.pushAll([
      [a, k, g],
      [b, k, g],
    ])
    await c.push(k, g)
    await d.push(k, g)
  }
  const all = keys(1, 2, 3, 4, 5, 7)
  assert.equal(await a.lookup(all), await c.lookup(all))
  assert.equal(await b.lookup(all), await d.lookup(all))
})

test('a NaN for one table leaves every table as it was', async ({ store, users, items }) => {
  await users.push(keys(1), floats(5, 6))
  for (const order of [0, 1]) {
    const requests: [Table, BigUint64Array, Float32Array][] = [
      [users, keys(1, 2), floats(1, 1, 1, 1)],
      [items, keys(1, 9), floats(1, 1, 1, 1, Number.NaN, 1)],
    ]
    if (order === 1) requests.reverse()
    const error = await errorOf(() => store.pushAll(requests))
    assertRefusal(error, { kind: 'StoreError', message: /gradients: expected finite.* key 9/ })
    assert.equal(await counts(users, items), [1, 0])
    same(await users.lookup(keys(1, 2)), [5, 6, 0, 0])
    same(await items.lookup(keys(1)), [1, 1, 1])
    assert.is((await users.stats()).pushes, 1)
  }
})

test('memory that is short for one table leaves every table as it was', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 25 })
  const small = await store.table('small', { dim: 2, optimizer: sum() })
  const large = await store.table('large', { dim: 8192, optimizer: sum() })
  const many = BigUint64Array.from({ length: 2000 }, (_, i) => BigInt(i))
  for (const order of [0, 1]) {
    const requests: [Table, BigUint64Array, Float32Array][] = [
      [small, keys(1), floats(1, 2)],
      [large, many, filled(many.length * 8192, 1)],
    ]
    if (order === 1) requests.reverse()
    const error = await errorOf(() => store.pushAll(requests))
    assertRefusal(error, { kind: 'StoreError', code: 'ERR_CAPACITY', message: /'large'/ })
    assert.equal(await counts(small, large), [0, 0])
  }
  await store.pushAll([
    [small, keys(1), floats(1, 2)],
    [large, keys(1), filled(8192, 1)],
  ])
  assert.equal(await counts(small, large), [1, 1])
})

test('pushAll refuses one table twice, by either of its handles', async ({
  store,
  users,
  items,
}) => {
  const other = await store.table('user', { dim: 2, optimizer: sum() })
  for (const second of [users, other]) {
    const error = await errorOf(() =>
      store.pushAll([
        [users, keys(1), floats(1, 1)],
        [items, keys(1), floats(1, 1, 1)],
        [second, keys(2), floats(1, 1)],
      ]),
    )
    assertRefusal(error, { kind: 'StoreError', message: /^requests\[2\].*'user' again/ })
  }
  assert.equal(await counts(users, items), [0, 0])
})

test('tables of another store are refused', async ({ store, users }) => {
  await using elsewhere = await open(':memory:')
  const stranger = await elsewhere.table('user', { dim: 2, optimizer: sum() })
  const message = /^requests\[1\]: expected a table of this store/
  const calls = [
    () =>
      store.lookupAll([
        [users, keys(1)],
        [stranger, keys(1)],
      ]),
    () =>
      store.pushAll([
        [users, keys(1), floats(1, 1)],
        [stranger, keys(1), floats(1, 1)],
      ]),
  ]
  for (const call of calls) assertRefusal(await errorOf(call), { kind: 'StoreError', message })
  assert.equal(await counts(users, stranger), [0, 0])
})

test('a dropped table among the requests leaves the others as they were', async (context) => {
  const { store, users, items } = context
  await store.drop('item')
  const error = await errorOf(() =>
    store.pushAll([
      [users, keys(1), floats(1, 1)],
      [items, keys(1), floats(1, 1, 1)],
    ]),
  )
  assertRefusal(error, { kind: 'StoreError', code: 'ERR_CLOSED', message: /'item'/ })
  assert.equal(await counts(users), [0])
})

test.run()
