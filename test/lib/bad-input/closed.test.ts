// Use after close and after drop, and closing at every moment.

import { type Dense, open, type Store, StoreError, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, same } from '../support/arrays.ts'
import {
  assertRefusal,
  errorAtOnce,
  errorOf,
  type Fixture,
  openFixture,
  type Refusal,
} from '../support/refusals.ts'

const test = suite<Fixture>('closed')

test.before.each(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after.each((fixture) => fixture.store.close())

const one = keys(1)
const row = filled(4, 1)
const bag = Uint32Array.of(0, 1)

function storeCalls(store: Store, table: Table): (() => Promise<unknown>)[] {
  return [
    () => store.table('table', table.options),
    () => store.table('new', { dim: 1 }),
    () => store.dense('new', { shape: [1] }),
    () => store.tables(),
    () => store.drop('table'),
    () => store.stats(),
    () => store.lookupAll([[table, one]]),
    () => store.lookupAll([]),
    () => store.pushAll([[table, one, row]]),
    () => store.pushAll([]),
    () => store.lookupConcat([[table, one]]),
    () => store.lookupConcat([]),
  ]
}

function tableCalls(table: Table): (() => Promise<unknown>)[] {
  return [
    () => table.lookup(one),
    () => table.lookup(one, { out: filled(4, 0) }),
    () => table.lookupPooled(one, bag),
    () => table.push(one, row),
    () => table.pushPooled(one, bag, row),
    () => table.update(one, row),
    () => table.erase(one),
    () => table.stats(),
    () => table.lookup(one, { found: new Uint8Array(1), missing: 1, relaxed: true }),
    () => table.lookupState(one),
    () => table.reserve(10),
    () => table.evict(1),
    () => table.shrink({ belowNorm: 1 }),
    () => table.decay(0.5),
    () => table.setScores(one, floats(1)),
    () => table.takeEvicted(),
    () => table.evicted().next(),
    () => table.scan().next(),
  ]
}

function denseCalls(dense: Dense): (() => Promise<unknown>)[] {
  return [
    () => dense.pull(),
    () => dense.pull({ out: filled(6, 0) }),
    () => dense.push(filled(6, 1)),
    () => dense.update(filled(6, 1)),
  ]
}

const closed = (message: RegExp): Refusal => ({ kind: 'StoreError', code: 'ERR_CLOSED', message })

test('after close every call rejects with ERR_CLOSED and names what is closed', async (fixture) => {
  const { store, table, dense } = fixture
  await store.close()
  for (const call of storeCalls(store, table)) {
    assertRefusal(await errorOf(call), closed(/^the store ':memory:' is closed$/))
  }
  for (const call of tableCalls(table)) {
    assertRefusal(await errorOf(call), closed(/^the store of table 'table' is closed$/))
  }
  for (const call of denseCalls(dense)) {
    assertRefusal(await errorOf(call), closed(/^the store of dense parameter 'dense' is closed$/))
  }
  for (const call of [
    () => table.lookupSync(one),
    () => table.lookupSync(one, row),
    () => table.lookupSync(one, row, { missing: 1 }),
  ]) {
    assertRefusal(errorAtOnce(call), closed(/table 'table' is closed/))
  }
  for (const requests of [[], [[table, one] as const]]) {
    const call = () => store.lookupConcatSync(requests)
    assertRefusal(errorAtOnce(call), closed(/^the store ':memory:' is closed$/))
  }
  assert.is(table.stateValues, 0)
})

test('a call on a closed store rejects: it throws nothing at once', async (fixture) => {
  const { store, table, dense } = fixture
  await store.close()
  for (const call of [...storeCalls(store, table), ...tableCalls(table), ...denseCalls(dense)]) {
    const result = call()
    assert.instance(result, Promise)
    assert.instance(await result.catch((error: unknown) => error), StoreError)
  }
})

test('while closing, new calls are refused and those made before end well', async (fixture) => {
  const { store, table, dense } = fixture
  const many = keyRange(0, 5000)
  const before = Promise.all([
    table.push(many, filled(20_000, 1)),
    table.stats(),
    table.lookup(many),
    dense.pull(),
    store.tables(),
  ])
  const closing = store.close()
  assert.is(store.closed, true)
  for (const call of [...storeCalls(store, table), ...tableCalls(table), ...denseCalls(dense)]) {
    assert.is((await errorOf(call)).code, 'ERR_CLOSED')
  }
  const [, stats, rows] = await before
  assert.is(stats.rows, 5001)
  assert.is(rows.length, 20_000)
  await closing
})

test('closing many times, at once and later, is fine', async ({ store }) => {
  await Promise.all([store.close(), store.close(), store[Symbol.asyncDispose]()])
  await store.close()
  assert.is(store.closed, true)
})

test('closing one of two stores on a path leaves the other alone', async () => {
  const [a, b] = [await open(':memory:closing'), await open(':memory:closing')]
  const options = { dim: 1, optimizer: sum() }
  const [ours, theirs] = [await a.table('t', options), await b.table('t', options)]
  const pushes = [ours.push(one, floats(1)), theirs.push(one, floats(1))]
  await a.close()
  await Promise.all(pushes)
  same(await theirs.lookup(one), [2])
  assert.is((await errorOf(() => ours.lookup(one))).code, 'ERR_CLOSED')
  await b.close()
  assert.is((await errorOf(() => theirs.lookup(one))).code, 'ERR_CLOSED')
})

test('after a drop every handle of the table rejects with ERR_CLOSED', async (fixture) => {
  const { store, table, dense } = fixture
  const twin = await store.table('table', table.options)
  await store.drop('table')
  await store.drop('dense')
  for (const call of [...tableCalls(table), ...tableCalls(twin)]) {
    assertRefusal(await errorOf(call), closed(/table 'table' is closed/))
  }
  for (const call of denseCalls(dense))
    assertRefusal(await errorOf(call), closed(/'dense' is closed/))
  assertRefusal(
    errorAtOnce(() => table.lookupSync(one)),
    closed(/'table'/),
  )
  for (const call of [
    () => store.lookupAll([[table, one]]),
    () => store.pushAll([[table, one, row]]),
    () => store.lookupConcat([[table, one]]),
  ]) {
    assertRefusal(await errorOf(call), closed(/'table'/))
  }
  assertRefusal(
    errorAtOnce(() => store.lookupConcatSync([[table, one]])),
    closed(/'table'/),
  )
})

test('handles of a dropped table do not see the new table of its name', async (fixture) => {
  const { store, table } = fixture
  await store.drop('table')
  const fresh = await store.table('table', table.options)
  await fresh.push(one, row)
  assert.is((await errorOf(() => table.push(one, row))).code, 'ERR_CLOSED')
  assert.is((await fresh.stats()).rows, 1)
})

test('calls made before a drop end well, those made after are refused', async (fixture) => {
  const { store, table } = fixture
  const pushing = table.push(one, row)
  const looking = table.lookup(one)
  const dropping = store.drop('table')
  const late = errorOf(() => table.lookup(one))
  const again = errorOf(() => store.drop('table'))
  await Promise.all([pushing, looking, dropping])
  assert.is((await late).code, 'ERR_CLOSED')
  assert.is((await again).code, 'ERR_NOT_FOUND')
})

test('a dropped table can be looked up by another opener until then, and not after', async () => {
  await using a = await open(':memory:dropping')
  await using b = await open(':memory:dropping')
  const theirs = await b.table('t', { dim: 1, optimizer: sum() })
  const looks = Array.from({ length: 200 }, () => theirs.push(one, floats(1)))
  const dropping = a.drop('t')
  const ended = await Promise.allSettled([...looks, dropping])
  for (const each of ended) {
    if (each.status === 'fulfilled') continue
    assert.ok(['ERR_CLOSED', 'ERR_NOT_FOUND'].includes(each.reason.code), String(each.reason))
  }
  assert.is(ended.at(-1)?.status, 'fulfilled')
  assert.is((await errorOf(() => theirs.lookup(one))).code, 'ERR_CLOSED')
})

test('wrong arguments are told before the store is found closed', async ({ store, table }) => {
  await store.close()
  assert.instance(
    errorAtOnce(() => store.table('t', { dim: 0 })),
    RangeError,
  )
  assert.instance(
    errorAtOnce(() => store.drop(5 as never)),
    TypeError,
  )
  assert.instance(
    errorAtOnce(() => store.lookupAll([5 as never])),
    TypeError,
  )
  assert.instance(
    errorAtOnce(() => table.evict(-1)),
    RangeError,
  )
  assert.instance(
    errorAtOnce(() => table.scan({ rows: 0 })),
    RangeError,
  )
  assert.is((await errorOf(() => table.lookup(5 as never))).code, 'ERR_CLOSED')
})

test.run()
