// Wrong options, names and paths: each is refused at once, named, and makes nothing.

import {
  adagrad,
  adam,
  constant,
  type DenseOptions,
  ftrl,
  normal,
  open,
  rowwiseAdagrad,
  sgd,
  type TableOptions,
  truncatedNormal,
  uniform,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  assertRefusal,
  errorAtOnce,
  errorOf,
  type Fixture,
  type Kind,
  openFixture,
  refuses,
} from '../support/refusals.ts'

const test = suite<Fixture>('bad options')

test.before(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after((fixture) => fixture.store.close())

type Wrong = [value: unknown, kind: Kind, message: string | RegExp]

const { NaN: kNaN, POSITIVE_INFINITY: kInfinity } = Number
const kNotNumbers = [null, '1', [], {}, true, 1n]

/** Every wrong number of an optimizer or initializer: which, and the field's name. */
function wrongNumbers(
  make: (value: number) => object,
  field: string,
  bad: readonly number[],
): Wrong[] {
  const [place] = field.split('.') as ['optimizer' | 'initializer']
  const pattern = field.replace('.', '\\.')
  const wrong = (value: number): Wrong => [
    { dim: 4, [place]: make(value) },
    'RangeError',
    new RegExp(`^${pattern}: expected a.* number.*, received`),
  ]
  const wrongType = (value: unknown): Wrong => [
    { dim: 4, [place]: make(value as number) },
    'TypeError',
    new RegExp(`^${pattern}: expected a number, received`),
  ]
  return [...bad.map(wrong), ...kNotNumbers.map(wrongType)]
}

const kNotPositive = [0, -1, kNaN, kInfinity, -kInfinity, 1e-60, 1e60]
const kNegative = [-1, -1e-30, kNaN, kInfinity, 1e60]
const kNoFraction = [-0.1, 1, 2, kNaN, kInfinity]
const kNotFinite = [kNaN, kInfinity, -kInfinity, 1e60]

const kNumbers: Wrong[] = [
  ...wrongNumbers((learningRate) => sgd({ learningRate }), 'optimizer.learningRate', kNotPositive),
  ...wrongNumbers((epsilon) => adagrad({ epsilon }), 'optimizer.epsilon', kNotPositive),
  ...wrongNumbers(
    (initialAccumulator) => rowwiseAdagrad({ initialAccumulator }),
    'optimizer.initialAccumulator',
    kNegative,
  ),
  ...wrongNumbers((beta1) => adam({ beta1 }), 'optimizer.beta1', kNoFraction),
  ...wrongNumbers((beta2) => adam({ beta2 }), 'optimizer.beta2', kNoFraction),
  ...wrongNumbers((beta) => ftrl({ beta }), 'optimizer.beta', kNotPositive),
  ...wrongNumbers((l1) => ftrl({ l1 }), 'optimizer.l1', kNegative),
  ...wrongNumbers((l2) => ftrl({ l2 }), 'optimizer.l2', kNegative),
  ...wrongNumbers(constant, 'initializer.value', kNotFinite),
  ...wrongNumbers((low) => uniform(low, 1), 'initializer.low', kNotFinite),
  ...wrongNumbers((high) => uniform(0, high), 'initializer.high', kNotFinite),
  ...wrongNumbers((mean) => normal(1, mean), 'initializer.mean', kNotFinite),
  ...wrongNumbers((stddev) => normal(stddev), 'initializer.stddev', kNegative),
  ...wrongNumbers((stddev) => truncatedNormal(stddev), 'initializer.stddev', kNegative),
]

const wrongDim = (dim: unknown): Wrong => [
  { dim },
  'RangeError',
  `dim: expected an integer from 1 to 8192, received ${dim}`,
]
const wrongSeed = (seed: unknown): Wrong => [{ dim: 4, seed }, 'RangeError', /^seed: expected a /]

const kTables: Wrong[] = [
  ...[null, 5, 'x', true, [], [4]].map(
    (value): Wrong => [value, 'TypeError', /^options: expected an object, received /],
  ),
  ...[0, -1, 1.5, 8193, 2 ** 32, 2 ** 32 + 4, kNaN, kInfinity].map(wrongDim),
  ...['8', null, undefined, 8n, [8], {}].map(
    (dim): Wrong => [{ dim }, 'TypeError', /^dim: expected a number, received /],
  ),
  [{ dim: 4, dims: 4 }, 'RangeError', /^options: expected only dim, .*, received 'dims'$/],
  [{ dim: 4, learningRate: 1 }, 'RangeError', /^options: .*'learningRate'$/],
  [{ dim: 4, optimizer: 'sgd' }, 'TypeError', "optimizer: expected an object, received 'sgd'"],
  [{ dim: 4, optimizer: null }, 'TypeError', 'optimizer: expected an object, received null'],
  [{ dim: 4, optimizer: sgd }, 'TypeError', 'optimizer: expected an object, received a function'],
  [{ dim: 4, optimizer: {} }, 'TypeError', /^optimizer\.kind: expected one of 'sgd', /],
  [{ dim: 4, optimizer: { kind: 'SGD' } }, 'RangeError', /^optimizer\.kind: .*, received 'SGD'$/],
  [{ dim: 4, optimizer: { kind: 0 } }, 'TypeError', /^optimizer\.kind: .*, received 0$/],
  [{ dim: 4, optimizer: { kind: 'sgd', lr: 1 } }, 'RangeError', /^optimizer: .*, received 'lr'$/],
  [{ dim: 4, initializer: 'zeros' }, 'TypeError', /^initializer: expected an object/],
  [{ dim: 4, initializer: null }, 'TypeError', /^initializer: expected an object/],
  [{ dim: 4, initializer: { kind: 'xavier' } }, 'RangeError', /^initializer\.kind: .*'xavier'$/],
  [{ dim: 4, initializer: { kind: 'zeros', x: 1 } }, 'RangeError', /^initializer: .*'x'$/],
  [{ dim: 4, initializer: uniform(0) }, 'RangeError', /^initializer: expected low below high/],
  [{ dim: 4, initializer: uniform(-1) }, 'RangeError', /^initializer: expected low below high/],
  [{ dim: 4, initializer: uniform(2, 1) }, 'RangeError', /^initializer: expected low below high/],
  [
    { dim: 4, valueType: 'f64' },
    'RangeError',
    "valueType: expected one of 'f32', 'f16', 'bf16', 'i8', 'i4', received 'f64'",
  ],
  [{ dim: 4, valueType: 1 }, 'TypeError', /^valueType: .* received 1$/],
  [
    { dim: 4, rounding: 'up' },
    'RangeError',
    "rounding: expected one of 'nearest', 'stochastic', received 'up'",
  ],
  [{ dim: 4, rounding: null }, 'TypeError', /^rounding: .* received null$/],
  [{ dim: 4, rounding: 'stochastic' }, 'RangeError', /^rounding: expected 'nearest', received/],
  [
    { dim: 4, valueType: 'i8', rounding: 'stochastic' },
    'RangeError',
    /^rounding: expected 'nearest', received 'stochastic', which is for valueType 'f16' and/,
  ],
  [
    { dim: 4, missing: 'nan' },
    'RangeError',
    "missing: expected one of 'initial', 'zeros', received 'nan'",
  ],
  [{ dim: 4, missing: null }, 'TypeError', /^missing: .* received null$/],
  [{ dim: 4, nonFinite: 'ignore' }, 'RangeError', /^nonFinite: expected one of 'reject', 'skip'/],
  [{ dim: 4, nonFinite: true }, 'TypeError', /^nonFinite: .* received true$/],
  ...[0, -1, 1.5, 2 ** 53, kNaN, 0n, -1n, 2n ** 64n].map(wrongSeed),
  ...['1', null, true, {}].map(
    (seed): Wrong => [{ dim: 4, seed }, 'TypeError', /^seed: expected a bigint or an integer/],
  ),
  ...kNumbers,
]

const kDense: Wrong[] = [
  ...[undefined, null, 8, '8', {}, new Uint32Array(2)].map(
    (shape): Wrong => [{ shape }, 'TypeError', /^shape: expected an array, received /],
  ),
  [{ shape: [] }, 'RangeError', 'shape: expected 1 to 8 dimensions, received 0'],
  [{ shape: new Array(9).fill(1) }, 'RangeError', 'shape: expected 1 to 8 dimensions, received 9'],
  ...[0, -1, 1.5, 2 ** 31 + 1, kNaN].map(
    (n): Wrong => [{ shape: [2, n] }, 'RangeError', /^shape\[1\]: expected an integer from 1 to/],
  ),
  ...['2', null, 2n].map(
    (n): Wrong => [{ shape: [2, n] }, 'TypeError', /^shape\[1\]: expected a number/],
  ),
  [{ shape: new Array(2) }, 'TypeError', 'shape[0]: expected a number, received undefined'],
  [{ shape: [2 ** 16, 2 ** 16] }, 'RangeError', /^shape: expected at most 2\^31 values in all/],
  [{ shape: [2 ** 31, 2 ** 31, 4] }, 'RangeError', /^shape: expected at most 2\^31 values in all/],
  [{ shape: [2], missing: 'zeros' }, 'RangeError', /^options: .*, received 'missing'$/],
  [{ shape: [2], dim: 2 }, 'RangeError', /^options: .*, received 'dim'$/],
  [{ shape: [2], optimizer: sgd({ learningRate: -1 }) }, 'RangeError', /^optimizer\.learningRate/],
  [{ shape: [2], initializer: normal(-1) }, 'RangeError', /^initializer\.stddev/],
  [{ shape: [2], nonFinite: 'ignore' }, 'RangeError', /^nonFinite/],
  [{ shape: [2], seed: 0 }, 'RangeError', /^seed/],
]

test('wrong options of a table are refused and no table is made', async (fixture) => {
  for (const [options, kind, message] of kTables) {
    const call = () => fixture.store.table('new', options as TableOptions)
    await refuses(fixture, call, { kind, message })
  }
})

test('wrong options of a dense parameter are refused and none is made', async (fixture) => {
  for (const [options, kind, message] of kDense) {
    const call = () => fixture.store.dense('new', options as DenseOptions)
    await refuses(fixture, call, { kind, message })
  }
})

test('wrong options of open are refused', () => {
  const wrong: Wrong[] = [
    ...[null, 5, 'x', []].map(
      (value): Wrong => [value, 'TypeError', /^options: expected an object/],
    ),
    [{ memorybytes: 2 ** 30 }, 'RangeError', /^options: expected only memoryBytes, threads/],
    ...[0, -1, 1.5, 2 ** 24 - 1, 2 ** 53, kNaN, kInfinity].map(
      (memoryBytes): Wrong => [{ memoryBytes }, 'RangeError', /^memoryBytes: expected an integer/],
    ),
    ...kNotNumbers.map(
      (memoryBytes): Wrong => [{ memoryBytes }, 'TypeError', /^memoryBytes: expected a number/],
    ),
    ...[0, -1, 1.5, 257, kNaN].map(
      (threads): Wrong => [
        { threads },
        'RangeError',
        /^threads: expected an integer from 1 to 256/,
      ],
    ),
    ...kNotNumbers.map(
      (threads): Wrong => [{ threads }, 'TypeError', /^threads: expected a number/],
    ),
    ...[0, -0.1, 1.001, 1e-60, kNaN, kInfinity].map(
      (backgroundShare): Wrong => [
        { backgroundShare },
        'RangeError',
        /^backgroundShare: expected a number above 0 and at most 1, received/,
      ],
    ),
    ...kNotNumbers.map(
      (backgroundShare): Wrong => [
        { backgroundShare },
        'TypeError',
        /^backgroundShare: expected a number/,
      ],
    ),
  ]
  for (const [options, kind, message] of wrong) {
    assertRefusal(
      errorAtOnce(() => open(':memory:', options as never)),
      { kind, message },
    )
  }
})

test('wrong paths are refused', async () => {
  const wrong: Wrong[] = [
    ...[undefined, null, 5, {}, new URL('file:///tmp/x'), Buffer.from('x')].map(
      (path): Wrong => [path, 'TypeError', /^path: expected a string, received /],
    ),
    ['', 'RangeError', /^path: expected a path without zero bytes/],
    ['a\0b', 'RangeError', /^path: expected a path without zero bytes/],
  ]
  for (const [path, kind, message] of wrong) {
    assertRefusal(
      errorAtOnce(() => open(path as string)),
      { kind, message },
    )
  }
  const long = await errorOf(() => open(`/${'x'.repeat(5000)}`))
  assertRefusal(long, { kind: 'StoreError', message: /^path: .*too long/ })
})

test('wrong names are refused everywhere', async (fixture) => {
  const { store } = fixture
  const wrong: Wrong[] = [
    ...[undefined, null, 5, {}, ['t'], Symbol('t'), fixture.table].map(
      (name): Wrong => [name, 'TypeError', /^name: expected a string, received /],
    ),
    ['', 'RangeError', /^name: expected a string of 1 to 255 bytes in UTF-8, received '0 bytes'$/],
    ['x'.repeat(256), 'RangeError', /^name: .*'256 bytes'$/],
    ['é'.repeat(128), 'RangeError', /^name: .*'256 bytes'$/],
    ['\ud800', 'RangeError', /^name: expected well-formed Unicode/],
  ]
  for (const [name, kind, message] of wrong) {
    const refusal = { kind, message }
    await refuses(fixture, () => store.table(name as string, { dim: 1 }), refusal)
    await refuses(fixture, () => store.dense(name as string, { shape: [1] }), refusal)
    await refuses(fixture, () => store.drop(name as string), refusal)
  }
})

test('wrong modes are refused', async (fixture) => {
  const { table } = fixture
  const one = BigUint64Array.of(1n)
  const bag = Uint32Array.of(0, 1)
  const wrong: Wrong[] = [
    ['max', 'RangeError', "mode: expected one of 'sum', 'mean', 'sqrtn', received 'max'"],
    ['', 'RangeError', /^mode: /],
    [0, 'TypeError', "mode: expected one of 'sum', 'mean', 'sqrtn', received 0"],
    [null, 'TypeError', /^mode: .* received null$/],
  ]
  for (const [value, kind, message] of wrong) {
    const mode = value as 'sum'
    await refuses(fixture, () => table.lookupPooled(one, bag, { mode }), { kind, message })
    const push = () => table.pushPooled(one, bag, new Float32Array(4), { mode })
    await refuses(fixture, push, { kind, message })
  }
})

test('wrong options of calls are refused', async (fixture) => {
  const { store, table, dense } = fixture
  const one = BigUint64Array.of(1n)
  const bag = Uint32Array.of(0, 1)
  const row = new Float32Array(4)
  const calls: [string, (options: never) => unknown][] = [
    ['out, found, missing, relaxed, maxAgeMs', (options) => table.lookup(one, options)],
    ['found, missing, relaxed, maxAgeMs', (options) => table.lookupSync(one, row, options)],
    ['out, found', (options) => table.lookupState(one, options)],
    ['rows, state, signal', (options) => table.scan(options)],
    ['unseenMs, belowUses, belowNorm', (options) => table.shrink(options)],
    ['stride', (options) => store.lookupConcat([[table, one]], options)],
    ['stride, out', (options) => store.lookupConcatSync([[table, one]], options)],
    ['mode, weights, out', (options) => table.lookupPooled(one, bag, options)],
    ['mode, weights, learningRate', (options) => table.pushPooled(one, bag, row, options)],
    ['learningRate', (options) => table.push(one, row, options)],
    ['out', (options) => dense.pull(options)],
    ['state, steps', (options) => table.update(one, row, options)],
    ['state, steps', (options) => dense.update(new Float32Array(6), options)],
    ['learningRate', (options) => dense.push(new Float32Array(6), options)],
  ]
  for (const [known, call] of calls) {
    for (const value of [null, 5, 'sum', row, new DataView(new ArrayBuffer(8)), []]) {
      const refusal = { kind: 'TypeError', message: /^options: expected an object/ } as const
      await refuses(fixture, () => call(value as never), refusal)
    }
    const message = `options: expected only ${known}, received 'outs'`
    const wrong = { outs: row } as never
    await refuses(fixture, () => call(wrong), { kind: 'RangeError', message })
  }
})

test('the limits themselves are legal', async ({ store }) => {
  const legal: TableOptions[] = [
    { dim: 1, seed: 1 },
    { dim: 8192, seed: 2n ** 64n - 1n },
    { dim: 4, optimizer: adam({ beta1: 0, beta2: 0 }), seed: Number.MAX_SAFE_INTEGER },
    { dim: 4, optimizer: adagrad({ initialAccumulator: 0 }), initializer: normal(0) },
  ]
  for (const options of legal) {
    await store.table('legal', options)
    await store.drop('legal')
  }
  await store.dense('legal', { shape: [1, 1, 1, 1, 1, 1, 1, 2] })
  await store.drop('legal')
  await using small = await open(':memory:', { memoryBytes: 2 ** 24, threads: 1 })
  await using wide = await open(':memory:', { threads: 256 })
  assert.is((await small.stats()).threads, 1)
  assert.is((await wide.stats()).threads, 256)
})

test.run()
