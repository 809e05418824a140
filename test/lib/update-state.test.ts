// State from outside: update with state, scans with state, tables and parameters opened by name.

import { adagrad, adam, type Store, sgd, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, same } from './support/arrays.ts'
import { open } from './support/open.ts'
import { errorAtOnce, errorOf } from './support/refusals.ts'

const test = suite<{ store: Store; table: Table }>('update with state')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.table = await context.store.table('t', { dim: 2, optimizer: adagrad() })
})
test.after.each(({ store }) => store.close())

test('state and steps are assigned with the rows', async ({ store, table }) => {
  await table.update(keys(1, 2), floats(1, 2, 3, 4), { state: floats(5, 6, 7, 8), steps: 9 })
  same(await table.lookup(keys(2, 1)), [3, 4, 1, 2])
  same(await table.lookupState(keys(2, 1)), [7, 8, 5, 6])
  assert.is((await table.stats()).steps, 9)
  await table.update(keys(1), floats(0, 0))
  same(await table.lookupState(keys(1)), [5, 6], 'it stays')
  const none = await store.table('none', { dim: 1, optimizer: sgd() })
  await none.update(keys(1), floats(1), { state: floats() })
  same(await none.lookup(keys(1)), [1])
})

test('state that does not fit is refused and nothing changes', async ({ table }) => {
  const few = errorAtOnce(() => table.update(keys(1), floats(1, 2), { state: floats(1) }))
  assert.match(few.message, /^state: .*2/)
  assert.is(few.code, 'ERR_INVALID_ARGUMENT')
  const type = { state: [1, 2] as never }
  assert.match(errorAtOnce(() => table.update(keys(1), floats(1, 2), type)).message, /^state: /)
  const steps = errorAtOnce(() => table.update(keys(1), floats(1, 2), { steps: -1 }))
  assert.match(steps.message, /^steps: /)
  const nan = { state: floats(1, Number.NaN) }
  assert.match((await errorOf(() => table.update(keys(1), floats(1, 2), nan))).message, /^state: /)
  assert.is((await table.stats()).rows, 0)
})

test('a scan gives state where it is asked for', async ({ table }) => {
  await table.push(keyRange(0, 3000), filled(6000, 2))
  let rows = 0
  for await (const page of table.scan({ state: true })) {
    rows += page.keys.length
    assert.equal(page.state, await table.lookupState(page.keys))
  }
  assert.is(rows, 3000)
  for await (const page of table.scan()) assert.is(page.state, undefined)
  const wrong = errorAtOnce(() => table.scan({ state: 1 as never }))
  assert.match(wrong.message, /^state: /)
})

test('what is there is opened by its name alone', async ({ store, table }) => {
  await table.push(keys(1), floats(1, 2))
  const again = await store.table('t')
  assert.is(again.dim, 2)
  assert.equal(again.options.optimizer, { kind: 'adagrad' })
  same(await again.lookup(keys(1)), await table.lookup(keys(1)))
  // Its options are those that open it.
  await store.table('t', again.options)
  await store.dense('d', { shape: [2, 3], optimizer: adam() })
  const dense = await store.dense('d')
  assert.equal(dense.shape, [2, 3])
  await store.dense('d', dense.options)
  assert.is((await errorOf(() => store.table('x'))).code, 'ERR_NOT_FOUND')
  assert.is((await errorOf(() => store.dense('x'))).code, 'ERR_NOT_FOUND')
  assert.is((await errorOf(() => store.table('d'))).code, 'ERR_CONFLICT')
  assert.is((await errorOf(() => store.dense('t'))).code, 'ERR_CONFLICT')
})

test('a dense parameter gives and takes its state', async ({ store }) => {
  const a = await store.dense('a', { shape: [3], optimizer: adam() })
  const b = await store.dense('b', { shape: [3], optimizer: adam() })
  await a.push(floats(1, 2, 3))
  const { values, state, steps } = await a.pullState()
  assert.is(steps, 1)
  assert.is(state.length, a.stateValues)
  await b.update(values, { state, steps })
  await a.push(floats(1, 1, 1))
  await b.push(floats(1, 1, 1))
  assert.equal(await b.pull(), await a.pull())
  const wrong = errorAtOnce(() => b.update(values, { state: floats(1) }))
  assert.match(wrong.message, /^state: /)
  const none = await store.dense('none', { shape: [2], optimizer: sum() })
  assert.equal((await none.pullState()).state, floats())
})

test.run()
