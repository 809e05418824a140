// Every optimizer against an f64 reference, from TypeScript's options to the rows: this is also
// what finds an option that is handed to the core under another's name.

import {
  adadelta,
  adagrad,
  adagradDecay,
  adam,
  adamax,
  adamw,
  amsgrad,
  constant,
  ftrl,
  groupFtrl,
  lamb,
  lars,
  lion,
  momentum,
  nesterov,
  type OptimizerOptions,
  rmsprop,
  rowwiseAdagrad,
  rowwiseAdam,
  sgd,
  sum,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { close, filled, floats, keys, randomFloats, randomNumbers, same } from './support/arrays.ts'
import { open } from './support/open.ts'
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
  ['momentum by default', momentum()],
  ['momentum', momentum({ learningRate: 0.2, momentum: 0.6 })],
  ['nesterov by default', nesterov()],
  ['nesterov', nesterov({ learningRate: 0.2, momentum: 0.6 })],
  ['adagradDecay by default', adagradDecay()],
  [
    'adagradDecay',
    adagradDecay({
      learningRate: 0.2,
      initialAccumulator: 0.7,
      epsilon: 0.05,
      decayRate: 0.4,
      decaySteps: 3,
    }),
  ],
  ['rmsprop by default', rmsprop()],
  ['rmsprop', rmsprop({ learningRate: 0.05, rho: 0.7, epsilon: 0.02 })],
  ['adadelta by default', adadelta()],
  ['adadelta', adadelta({ learningRate: 0.8, rho: 0.7, epsilon: 0.02 })],
  ['adamw by default', adamw()],
  [
    'adamw',
    adamw({ learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.02, weightDecay: 0.3 }),
  ],
  ['amsgrad by default', amsgrad()],
  ['amsgrad', amsgrad({ learningRate: 0.05, beta1: 0.8, beta2: 0.6, epsilon: 0.02 })],
  ['adamax by default', adamax()],
  ['adamax', adamax({ learningRate: 0.05, beta1: 0.8, beta2: 0.6, epsilon: 0.02 })],
  ['rowwiseAdam by default', rowwiseAdam()],
  ['rowwiseAdam', rowwiseAdam({ learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.02 })],
  ['groupFtrl by default', groupFtrl()],
  [
    'groupFtrl',
    groupFtrl({
      learningRate: 0.4,
      beta: 0.7,
      l1: 0.2,
      l2: 0.3,
      l21: 0.25,
      initialAccumulator: 0.9,
    }),
  ],
  ['lamb by default', lamb()],
  ['lamb', lamb({ learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.02, weightDecay: 0.3 })],
  ['lars by default', lars()],
  ['lars', lars({ learningRate: 0.2, momentum: 0.6, trust: 0.15, weightDecay: 0.3 })],
  ['lion by default', lion()],
  ['lion', lion({ learningRate: 0.05, beta1: 0.8, beta2: 0.95, weightDecay: 0.3 })],
]

/** What every rule but `sum` takes, each with others than its defaults. */
const kPreparations = [
  { weightDecay: 0.2 },
  { clipValue: 0.35 },
  { clipNorm: 0.9 },
  { weightDecay: 0.2, clipValue: 0.35 },
  { weightDecay: 0.2, clipNorm: 0.9 },
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

async function agrees(optimizer: OptimizerOptions, dims: readonly number[]): Promise<void> {
  await using store = await open(':memory:')
  for (const dim of dims) {
    const initializer = constant(0.25)
    const table = await store.table(`dim ${dim}`, { dim, optimizer, initializer })
    for (let step = 0; step < kSteps; step++) {
      const { chosen, gradients } = batch(step, dim)
      await table.push(BigUint64Array.from(chosen, BigInt), gradients)
    }
    const found = await table.lookup(BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i)))
    close(found, expectedRows(optimizer, dim, 0.25), 2e-5)
  }
}

for (const [name, optimizer] of kOptimizers) {
  test(`${name} agrees with the reference over several pushes`, () =>
    agrees(optimizer, [1, 3, 8, 17, 64]))
}

for (const [name, optimizer] of kOptimizers) {
  if (optimizer.kind === 'sum' || name.endsWith('by default')) continue
  test(`${name} agrees with the reference on decayed and clipped gradients`, async () => {
    for (const preparation of kPreparations) await agrees({ ...optimizer, ...preparation }, [1, 11])
  })
}

test('every kind is among the optimizers tested here', () => {
  assert.is(new Set(kOptimizers.map(([, { kind }]) => kind)).size, 19)
})

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
    // These decay the row, or make it anew from their state.
    if (['ftrl', 'groupFtrl', 'adamw', 'lamb', 'lars', 'lion'].includes(optimizer.kind)) continue
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
