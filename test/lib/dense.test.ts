// A dense parameter: pull, push and update.

import {
  adagrad,
  adam,
  constant,
  type Dense,
  rowwiseAdagrad,
  type Store,
  sgd,
  sum,
  uniform,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { close, filled, floats, randomFloats, same } from './support/arrays.ts'
import { open } from './support/open.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'

const test = suite<{ store: Store }>('dense')

test.before.each(async (context) => {
  context.store = await open(':memory:')
})
test.after.each((context) => context.store.close())

test('a dense parameter knows its name, shape and options', async ({ store }) => {
  const dense = await store.dense('w', { shape: [2, 3], optimizer: sum() })
  assert.equal([dense.name, dense.shape], ['w', [2, 3]])
  assert.equal(dense.options, { shape: [2, 3], optimizer: sum() })
  assert.throws(() => (dense.shape as number[]).push(1), TypeError)
})

test('values begin as the initializer says', async ({ store }) => {
  const zero = await store.dense('a', { shape: [2, 2] })
  same(await zero.pull(), [0, 0, 0, 0])
  const two = await store.dense('b', { shape: [3], initializer: constant(2) })
  same(await two.pull(), [2, 2, 2])
  const random = await store.dense('c', { shape: [100, 10], initializer: uniform(0.5), seed: 1 })
  const values = await random.pull()
  assert.ok(values.every((value) => value >= -0.5 && value < 0.5))
  assert.ok(new Set(values).size > 900)
})

test('equal seeds give equal values, others do not', async ({ store }) => {
  const make = (name: string, seed: number) =>
    store.dense(name, { shape: [8], initializer: uniform(1), seed })
  const [a, b, c] = await Promise.all([make('a', 1), make('b', 1), make('c', 2)])
  assert.equal(await a?.pull(), await b?.pull())
  assert.not.equal(await a?.pull(), await c?.pull())
})

test('push runs the optimizer and update assigns', async ({ store }) => {
  const dense = await store.dense('w', { shape: [2, 2], optimizer: sgd({ learningRate: 0.5 }) })
  await dense.push(floats(1, 2, 3, 4))
  same(await dense.pull(), [-0.5, -1, -1.5, -2])
  await dense.update(floats(1, 1, 1, 1))
  await dense.push(floats(2, 0, 2, 0))
  same(await dense.pull(), [0, 1, 0, 1])
})

test('an update leaves the state of the optimizer as it is', async ({ store }) => {
  const optimizer = adagrad({ learningRate: 1, initialAccumulator: 0 })
  const dense = await store.dense('w', { shape: [2], optimizer })
  await dense.push(floats(3, 4))
  await dense.update(floats(0, 0))
  await dense.push(floats(4, 3))
  close(await dense.pull(), [-0.8, -0.6])
})

test('the last dimension is the row of row-wise rules', async ({ store }) => {
  const optimizer = rowwiseAdagrad({ learningRate: 1, initialAccumulator: 0 })
  const dense = await store.dense('w', { shape: [2, 2], optimizer })
  await dense.push(floats(3, 4, 0, 2))
  const [a, b] = [Math.sqrt(12.5), Math.sqrt(2)]
  close(await dense.pull(), [-3 / a, -4 / a, 0, -2 / b])
})

test('a dense parameter and a table learn alike', async ({ store }) => {
  const options = { optimizer: adam({ learningRate: 0.1 }), initializer: constant(1) }
  const dense = await store.dense('d', { ...options, shape: [37] })
  const table = await store.table('t', { ...options, dim: 37 })
  for (let step = 0; step < 4; step++) {
    const gradient = randomFloats(37, step)
    await dense.push(gradient)
    await table.push(BigUint64Array.of(3n), gradient)
  }
  assert.equal(await dense.pull(), await table.lookup(BigUint64Array.of(3n)))
})

test('out is filled and returned', async ({ store }) => {
  const dense = await store.dense('w', { shape: [3], initializer: constant(4) })
  const whole = filled(5, 9)
  const out = whole.subarray(1, 4)
  assert.is(await dense.pull({ out }), out)
  same(whole, [9, 4, 4, 4, 9])
})

test('values may be refilled as soon as the call has returned', async ({ store }) => {
  const dense = await store.dense('w', { shape: [2], optimizer: sum() })
  const values = floats(1, 2)
  const pushing = dense.push(values)
  values.fill(100)
  const seen = dense.pull()
  values.fill(7)
  const updating = dense.update(values)
  values.fill(0)
  await Promise.all([pushing, updating])
  same(await seen, [1, 2])
  same(await dense.pull(), [7, 7])
})

async function refusesNonFinite(dense: Dense): Promise<void> {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const push = await errorOf(() => dense.push(floats(1, bad)))
    assertRefusal(push, { kind: 'StoreError', message: /^gradient: expected finite values/ })
    const update = await errorOf(() => dense.update(floats(1, bad)))
    assertRefusal(update, { kind: 'StoreError', message: /^values: expected finite values/ })
  }
}

test('NaN and infinity are rejected and change nothing', async ({ store }) => {
  const dense = await store.dense('w', { shape: [2], optimizer: adam(), initializer: constant(1) })
  const other = await store.dense('v', { shape: [2], optimizer: adam(), initializer: constant(1) })
  await refusesNonFinite(dense)
  same(await dense.pull(), [1, 1])
  // A step of Adam that had been counted would show here.
  await Promise.all([dense.push(floats(1, 2)), other.push(floats(1, 2))])
  assert.equal(await dense.pull(), await other.pull())
})

test('nonFinite: skip leaves the whole gradient out', async ({ store }) => {
  const options = { shape: [2], optimizer: sum(), nonFinite: 'skip' } as const
  const dense = await store.dense('w', options)
  await dense.push(floats(1, Number.NaN))
  await dense.update(floats(Number.POSITIVE_INFINITY, 1))
  same(await dense.pull(), [0, 0])
  await dense.push(floats(1, 2))
  same(await dense.pull(), [1, 2])
})

test('a parameter opened with other options is refused and names the option', async ({ store }) => {
  const options = { shape: [2, 3], optimizer: sum(), seed: 1 }
  await store.dense('w', options)
  const others = [
    [{ shape: [3, 2] }, /shape/],
    [{ optimizer: sgd() }, /optimizer/],
    [{ initializer: constant(1) }, /initializer/],
    [{ nonFinite: 'skip' }, /nonFinite/],
    [{ seed: 2 }, /seed/],
  ] as const
  for (const [other, message] of others) {
    const error = await errorOf(() => store.dense('w', { ...options, ...other }))
    assertRefusal(error, { kind: 'StoreError', code: 'ERR_CONFLICT', message })
  }
})

test('a parameter that does not fit is refused and leaves nothing behind', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const error = await errorOf(() => store.dense('w', { shape: [2 ** 20, 8] }))
  assertRefusal(error, { kind: 'StoreError', code: 'ERR_CAPACITY', message: /'w' needs/ })
  assert.equal(await store.tables(), [])
  assert.is((await store.stats()).memoryUsedBytes, 0)
  await store.dense('w', { shape: [2 ** 20] })
})

test.run()
