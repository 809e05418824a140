// Groups of slots within one table, and the learning rate of a single push, from TypeScript's
// options to the rows.

import {
  adagrad,
  adam,
  constant,
  type OptimizerOptions,
  type Store,
  sgd,
  slotKey,
  sum,
  type TableOptions,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { close, floats, keys, kLastKey, randomFloats, same } from './support/arrays.ts'
import { open } from './support/open.ts'
import { referenceRule } from './support/optimizers.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'

const test = suite<{ store: Store }>('groups')

test.before.each(async (context) => {
  context.store = await open(':memory:')
})
test.after.each(({ store }) => store.close())

const kLastSlot = 2 ** 20 - 1
const kGroups = [
  { firstSlot: 10, lastSlot: kLastSlot, weightDecay: 0.25 },
  { firstSlot: 1, lastSlot: 3, rateScale: 0.5 },
  { firstSlot: 7, lastSlot: 7, frozen: true },
] as const

test('each group learns by its own settings', async ({ store }) => {
  const optimizer = adagrad({ learningRate: 0.2 })
  const options = { dim: 5, optimizer, initializer: constant(0.5), groups: kGroups }
  const table = await store.table('t', options)
  const settings: [key: bigint, optimizer: OptimizerOptions][] = [
    [slotKey(0, 1), optimizer],
    [slotKey(1, 1), { ...optimizer, learningRate: 0.1 }],
    [slotKey(3, 1), { ...optimizer, learningRate: 0.1 }],
    [slotKey(4, 1), optimizer],
    [slotKey(10, 1), { ...optimizer, weightDecay: 0.25 }],
    [kLastKey, { ...optimizer, weightDecay: 0.25 }],
  ]
  const rows = settings.map(() => new Float64Array(5).fill(0.5))
  const rules = settings.map(([, each]) => referenceRule(each, 5))
  const batch = keys(...settings.map(([key]) => key))
  for (let step = 1; step <= 6; step++) {
    const gradients = randomFloats(batch.length * 5, step)
    await table.push(batch, gradients)
    for (const [i, rule] of rules.entries()) {
      const own = Float64Array.from(gradients.subarray(i * 5, i * 5 + 5))
      rule(rows[i] as Float64Array, own, step)
    }
  }
  const expected = rows.flatMap((row) => [...row])
  close(await table.lookup(batch), expected, 2e-5)
})

test('a frozen row is made and stays, until it is assigned or erased', async ({ store }) => {
  const options = { dim: 2, optimizer: sum(), initializer: constant(3), groups: kGroups.slice(2) }
  const table = await store.table('t', options)
  const frozen = keys(slotKey(7, 'a'))
  await table.push(frozen, floats(1, 2))
  same(await table.lookup(frozen), [3, 3])
  assert.is((await table.stats()).rows, 1)
  await table.update(frozen, floats(5, 6))
  await table.pushPooled(frozen, Uint32Array.of(0, 1), floats(1, 2))
  same(await table.lookup(frozen), [5, 6])
  assert.is(await table.erase(frozen), 1)
})

test('a table says its groups, whatever becomes of the array it was given', async ({ store }) => {
  const groups = [{ firstSlot: 1, lastSlot: 2, frozen: true }]
  const opening = store.table('t', { dim: 1, groups })
  groups.push({ firstSlot: 5, lastSlot: 5, frozen: false })
  const first = groups[0] as { lastSlot: number }
  first.lastSlot = 9
  const table = await opening
  assert.equal(table.options.groups, [{ firstSlot: 1, lastSlot: 2, frozen: true }])
  assert.ok(Object.isFrozen(table.options.groups))
})

test('a table opened with other groups is refused and names them', async ({ store }) => {
  const options: TableOptions = { dim: 1, groups: kGroups }
  await store.table('t', options)
  await store.table('t', { dim: 1, groups: kGroups.map((group) => ({ ...group })) })
  for (const groups of [[], kGroups.slice(1), [...kGroups].reverse()]) {
    const error = await errorOf(() => store.table('t', { dim: 1, groups }))
    assertRefusal(error, { kind: 'StoreError', code: 'ERR_CONFLICT', message: /groups/ })
  }
})

test('the learning rate of a push is for that push alone', async ({ store }) => {
  const table = await store.table('t', { dim: 1, optimizer: sgd({ learningRate: 0.5 }) })
  await table.push(keys(1), floats(1), { learningRate: 0.25 })
  same(await table.lookup(keys(1)), [-0.25])
  await table.push(keys(1), floats(1))
  await table.push(keys(1), floats(1), {})
  same(await table.lookup(keys(1)), [-1.25])
  const bag = Uint32Array.of(0, 2)
  await table.pushPooled(keys(1, 1), bag, floats(1), { mode: 'mean', learningRate: 4 })
  same(await table.lookup(keys(1)), [-5.25])
})

test('pushAll takes a learning rate with each request', async ({ store }) => {
  const optimizer = sgd({ learningRate: 0.5 })
  const a = await store.table('a', { dim: 1, optimizer })
  const b = await store.table('b', { dim: 1, optimizer })
  await store.pushAll([
    [a, keys(1), floats(1), { learningRate: 2 }],
    [b, keys(1), floats(1)],
  ])
  same(await a.lookup(keys(1)), [-2])
  same(await b.lookup(keys(1)), [-0.5])
})

test('a dense parameter takes the learning rate of a push too', async ({ store }) => {
  const dense = await store.dense('d', { shape: [2], optimizer: sgd({ learningRate: 0.5 }) })
  await dense.push(floats(1, 2), { learningRate: 2 })
  await dense.push(floats(1, 2))
  same(await dense.pull(), [-2.5, -5])
})

test('a schedule of rates agrees with the reference, scaled by the group', async ({ store }) => {
  const optimizer = adam({ learningRate: 0.1 })
  const table = await store.table('t', { dim: 3, optimizer, groups: kGroups })
  const batch = keys(slotKey(0, 1), slotKey(2, 1))
  const rows = [new Float64Array(3), new Float64Array(3)]
  const states = rows.map(() => ({ m: new Float64Array(3), v: new Float64Array(3) }))
  for (let step = 1; step <= 8; step++) {
    const learningRate = 0.2 / step
    const gradients = randomFloats(6, step)
    await table.push(batch, gradients, { learningRate })
    for (const [i, { m, v }] of states.entries()) {
      for (let d = 0; d < 3; d++) {
        const g = gradients[i * 3 + d] as number
        m[d] = 0.9 * (m[d] as number) + 0.1 * g
        v[d] = 0.999 * (v[d] as number) + 0.001 * g * g
        const mean = (m[d] as number) / (1 - 0.9 ** step)
        const root = Math.sqrt((v[d] as number) / (1 - 0.999 ** step)) + 1e-8
        const row = rows[i] as Float64Array
        row[d] = (row[d] as number) - (learningRate * (i === 1 ? 0.5 : 1) * mean) / root
      }
    }
  }
  const expected = rows.flatMap((row) => [...row])
  close(await table.lookup(batch), expected, 2e-5)
})

test('a rate that a group scales out of range is refused and changes nothing', async (context) => {
  const groups = [{ firstSlot: 0, lastSlot: 0, rateScale: 1e-30 }]
  const table = await context.store.table('t', { dim: 1, groups })
  const error = await errorOf(() => table.push(keys(1), floats(1), { learningRate: 1e-20 }))
  assertRefusal(error, { kind: 'StoreError', message: /^learningRate: expected .* rateScale/ })
  assert.is((await table.stats()).rows, 0)
})

test.run()
