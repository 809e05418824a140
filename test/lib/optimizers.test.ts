// Every optimizer against an f64 reference, from TypeScript's options to the rows: this is also
// what finds an option that is handed to the core under another's name.

import {
  adagrad,
  adam,
  constant,
  ftrl,
  type OptimizerOptions,
  open,
  rowwiseAdagrad,
  sgd,
  sum,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { close, filled, floats, keys, randomFloats, randomNumbers, same } from './support/arrays.ts'
import { referenceRule } from './support/optimizers.ts'

const test = suite('optimizers')

// No two numbers of one optimizer are equal, and none is a default.
const kOptimizers: [string, OptimizerOptions][] = [
  ['sgd by default', sgd()],
  ['sgd', sgd({ learningRate: 0.3 })],
  ['adagrad by default', adagrad()],
  ['adagrad', adagrad({ learningRate: 0.2, initialAccumulator: 0.7, epsilon: 0.05 })],
  ['rowwiseAdagrad by default', rowwiseAdagrad()],
  ['rowwiseAdagrad', rowwiseAdagrad({ learningRate: 0.2, initialAccumulator: 0.6, epsilon: 0.03 })],
  ['adam by default', adam()],
  ['adam', adam({ learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.02 })],
  ['ftrl by default', ftrl()],
  ['ftrl', ftrl({ learningRate: 0.4, beta: 0.7, l1: 0.2, l2: 0.3, initialAccumulator: 0.9 })],
  ['sum', sum()],
]
const kSteps = 8
const kKeys = 6

/** The gradients of one push: some keys twice, some not at all. */
function batch(step: number, dim: number) {
  const next = randomNumbers(step + 1)
  const chosen = Array.from({ length: 7 }, () => Math.floor(next() * kKeys))
  return { chosen, gradients: randomFloats(chosen.length * dim, step + 100) }
}

/** Rows after all steps, by the reference. */
function expectedRows(optimizer: OptimizerOptions, dim: number, start: number): number[] {
  const rows = Array.from({ length: kKeys }, () => new Float64Array(dim).fill(Math.fround(start)))
  const rules = rows.map(() => referenceRule(optimizer, dim))
  for (let step = 0; step < kSteps; step++) {
    const { chosen, gradients } = batch(step, dim)
    for (const key of new Set(chosen)) {
      const total = new Float64Array(dim)
      for (const [i, other] of chosen.entries()) {
        if (other !== key) continue
        for (let d = 0; d < dim; d++) total[d] = (total[d] ?? 0) + (gradients[i * dim + d] ?? 0)
      }
      rules[key]?.(rows[key] as Float64Array, total, step + 1)
    }
  }
  return rows.flatMap((row) => [...row])
}

for (const [name, optimizer] of kOptimizers) {
  test(`${name} agrees with the reference over several pushes`, async () => {
    await using store = await open(':memory:')
    for (const dim of [1, 3, 8, 17, 64]) {
      const initializer = constant(0.25)
      const table = await store.table(`dim ${dim}`, { dim, optimizer, initializer })
      for (let step = 0; step < kSteps; step++) {
        const { chosen, gradients } = batch(step, dim)
        await table.push(BigUint64Array.from(chosen, BigInt), gradients)
      }
      const found = await table.lookup(BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i)))
      close(found, expectedRows(optimizer, dim, 0.25), 2e-5)
    }
  })
}

test('ftrl with l1 keeps rows with small gradients at zero', async () => {
  await using store = await open(':memory:')
  const table = await store.table('t', { dim: 3, optimizer: ftrl({ l1: 1 }) })
  for (let step = 0; step < 4; step++) await table.push(keys(1), floats(0.2, -0.2, 5))
  const [small, negative, large] = await table.lookup(keys(1))
  assert.equal([small === 0, negative === 0], [true, true])
  assert.ok((large as number) < 0)
})

test('sum is exact for whole numbers below 2^24', async () => {
  await using store = await open(':memory:')
  const table = await store.table('t', { dim: 2, optimizer: sum() })
  for (let step = 0; step < 100; step++) {
    await table.push(keys(5, 5, 5), floats(70_000, 1, 90_000, 1, 1, 1))
  }
  same(await table.lookup(keys(5)), [16_000_100, 300])
})

test('a gradient of zeros makes a row and moves nothing that has not moved', async () => {
  await using store = await open(':memory:')
  for (const [name, optimizer] of kOptimizers) {
    if (optimizer.kind === 'ftrl') continue
    const table = await store.table(name, { dim: 2, optimizer, initializer: constant(0.5) })
    await table.push(keys(1), filled(2, 0))
    same(await table.lookup(keys(1)), [0.5, 0.5], name)
    assert.is((await table.stats()).rows, 1)
  }
})

test('the bias of adam is corrected by the pushes of the table, not of the row', async () => {
  await using store = await open(':memory:')
  const optimizer = adam({ learningRate: 0.1 })
  const table = await store.table('t', { dim: 1, optimizer })
  for (let step = 0; step < 5; step++) await table.push(keys(1), floats(1))
  await table.push(keys(2), floats(1))
  const row = new Float64Array(1)
  referenceRule(optimizer, 1)(row, Float64Array.of(1), 6)
  close(await table.lookup(keys(2)), row)
})

test.run()
