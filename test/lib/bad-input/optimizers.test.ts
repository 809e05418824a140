// Wrong options of optimizers, groups and pushes: each is refused at once, named, and makes or
// changes nothing.

import {
  adagradDecay,
  groupFtrl,
  lars,
  momentum,
  nesterov,
  type OptimizerOptions,
  rmsprop,
  sgd,
  sum,
  type TableOptions,
} from 'hotrow'
import { suite } from 'uvu'
import { type Fixture, type Kind, openFixture, refuses } from '../support/refusals.ts'

const test = suite<Fixture>('bad optimizers')

test.before(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after((fixture) => fixture.store.close())

type Wrong = [value: unknown, kind: Kind, message: string | RegExp]

const { NaN: kNaN, POSITIVE_INFINITY: kInfinity } = Number
const kNotNumbers = [null, '1', [], {}, true, 1n]
const kNotPositive = [0, -1, kNaN, kInfinity, -kInfinity, 1e-60, 1e60]
const kNegative = [-1, -1e-30, kNaN, kInfinity, 1e60]
const kNoFraction = [-0.1, 1, 2, kNaN, kInfinity]

function wrongNumbers(
  make: (value: number) => OptimizerOptions,
  field: string,
  bad: readonly number[],
): Wrong[] {
  return [
    ...bad.map(
      (value): Wrong => [
        make(value),
        'RangeError',
        new RegExp(`^optimizer\\.${field}: expected an? .*, received`),
      ],
    ),
    ...kNotNumbers.map(
      (value): Wrong => [
        make(value as number),
        'TypeError',
        new RegExp(`^optimizer\\.${field}: expected a number, received`),
      ],
    ),
  ]
}

const kOptimizers: Wrong[] = [
  ...wrongNumbers((weightDecay) => sgd({ weightDecay }), 'weightDecay', kNegative),
  ...wrongNumbers((clipValue) => sgd({ clipValue }), 'clipValue', kNegative),
  ...wrongNumbers((clipNorm) => sgd({ clipNorm }), 'clipNorm', kNegative),
  ...wrongNumbers((l21) => groupFtrl({ l21 }), 'l21', kNegative),
  ...wrongNumbers((value) => momentum({ momentum: value }), 'momentum', kNoFraction),
  ...wrongNumbers((value) => nesterov({ momentum: value }), 'momentum', kNoFraction),
  ...wrongNumbers((rho) => rmsprop({ rho }), 'rho', kNoFraction),
  ...wrongNumbers((decayRate) => adagradDecay({ decayRate }), 'decayRate', [0, -1, 1.1, kNaN]),
  ...wrongNumbers((decaySteps) => adagradDecay({ decaySteps }), 'decaySteps', [
    0,
    -1,
    1.5,
    2 ** 32,
    kNaN,
    kInfinity,
  ]),
  ...wrongNumbers((trust) => lars({ trust }), 'trust', kNotPositive),
  [
    sgd({ clipValue: 1, clipNorm: 2 }),
    'RangeError',
    'optimizer: expected clipValue or clipNorm, received clipValue 1 and clipNorm 2',
  ],
  ...(['weightDecay', 'clipValue', 'clipNorm'] as const).map(
    (field): Wrong => [
      { ...sum(), [field]: 0.5 },
      'RangeError',
      `optimizer.${field}: expected 0 (sum does not use it), received 0.5`,
    ],
  ),
  ...[
    { l21: 1 },
    { momentum: 0.5 },
    { rho: 0.5 },
    { decayRate: 0.5 },
    { decaySteps: 5 },
    { trust: 1 },
  ].map(
    (field): Wrong => [
      { ...sgd(), ...field },
      'RangeError',
      new RegExp(`^optimizer\\.${Object.keys(field)[0]}: expected .* \\(sgd does not use it\\)`),
    ],
  ),
]

test('wrong options of an optimizer are refused everywhere', async (fixture) => {
  for (const [value, kind, message] of kOptimizers) {
    const optimizer = value as OptimizerOptions
    await refuses(fixture, () => fixture.store.table('new', { dim: 4, optimizer }), {
      kind,
      message,
    })
    await refuses(fixture, () => fixture.store.dense('new', { shape: [4], optimizer }), {
      kind,
      message,
    })
  }
})

const slots = { firstSlot: 1, lastSlot: 2 }
const inGroup = (field: object): object[] => [slots, { firstSlot: 5, lastSlot: 6, ...field }]

const kGroups: Wrong[] = [
  ...[null, 5, 'x', {}, new Uint32Array(2)].map(
    (value): Wrong => [value, 'TypeError', /^groups: expected an array, received /],
  ),
  ...[null, 5, 'x', []].map(
    (value): Wrong => [[value], 'TypeError', /^groups\[0\]: expected an object, received /],
  ),
  [new Array(2), 'TypeError', 'groups[0]: expected an object, received undefined'],
  [
    Array.from({ length: 65 }, (_, i) => ({ firstSlot: i, lastSlot: i })),
    'RangeError',
    'groups: expected at most 64 groups, received 65',
  ],
  [inGroup({ slot: 1 }), 'RangeError', /^groups\[1\]: expected only firstSlot, .*'slot'$/],
  ...(['firstSlot', 'lastSlot'] as const).flatMap((field): Wrong[] => [
    ...[-1, 1.5, 2 ** 20, kNaN].map(
      (value): Wrong => [
        inGroup({ [field]: value }),
        'RangeError',
        `groups[1].${field}: expected an integer from 0 to 1048575, received ${value}`,
      ],
    ),
    ...[undefined, null, '1', 1n].map(
      (value): Wrong => [
        inGroup({ [field]: value }),
        'TypeError',
        new RegExp(`^groups\\[1\\]\\.${field}: expected a number, received`),
      ],
    ),
  ]),
  ...kNotPositive.map(
    (rateScale): Wrong => [
      inGroup({ rateScale }),
      'RangeError',
      /^groups\[1\]\.rateScale: expected a finite number above 0, received/,
    ],
  ),
  ...[-0.5, -2, kNaN, kInfinity].map(
    (weightDecay): Wrong => [
      inGroup({ weightDecay }),
      'RangeError',
      /^groups\[1\]\.weightDecay: expected a finite number of at least 0, received/,
    ],
  ),
  [
    inGroup({ rateScale: '1' }),
    'TypeError',
    "groups[1].rateScale: expected a number, received '1'",
  ],
  [inGroup({ weightDecay: null }), 'TypeError', /^groups\[1\]\.weightDecay: expected a number/],
  [inGroup({ frozen: 1 }), 'TypeError', 'groups[1].frozen: expected a boolean, received 1'],
  [
    [{ firstSlot: 3, lastSlot: 2 }],
    'RangeError',
    'groups[0]: expected firstSlot up to lastSlot, received 3 and 2',
  ],
  [
    [slots, { firstSlot: 2, lastSlot: 4 }],
    'RangeError',
    'groups[1]: expected slots that groups[0] does not have, received 2 to 4',
  ],
]

test('wrong groups are refused', async (fixture) => {
  for (const [value, kind, message] of kGroups) {
    const options = { dim: 4, groups: value } as TableOptions
    await refuses(fixture, () => fixture.store.table('new', options), { kind, message })
  }
  const scaled = { dim: 4, optimizer: sum(), groups: inGroup({ rateScale: 2 }) } as TableOptions
  await refuses(fixture, () => fixture.store.table('new', scaled), {
    kind: 'RangeError',
    message: /^groups\[1\]\.rateScale: expected 1 \(sum has no learning rate\)/,
  })
  const dense = { shape: [4], groups: [] } as never
  await refuses(fixture, () => fixture.store.dense('new', dense), {
    kind: 'RangeError',
    message: /^options: .*, received 'groups'$/,
  })
})

test('wrong learning rates of pushes are refused', async (fixture) => {
  const { store, table, dense } = fixture
  const one = BigUint64Array.of(1n)
  const row = new Float32Array(4)
  const calls: [name: string, call: (options: never) => unknown][] = [
    ['learningRate', (options) => table.push(one, row, options)],
    ['learningRate', (options) => table.pushPooled(one, Uint32Array.of(0, 1), row, options)],
    ['learningRate', (options) => dense.push(new Float32Array(6), options)],
    ['requests[0] options.learningRate', (options) => store.pushAll([[table, one, row, options]])],
  ]
  for (const [name, call] of calls) {
    for (const learningRate of kNotPositive) {
      await refuses(fixture, () => call({ learningRate } as never), {
        kind: 'RangeError',
        message: `${name}: expected a finite number above 0, received ${learningRate}`,
      })
    }
    for (const learningRate of kNotNumbers) {
      const message = `${name}: expected a number, received`
      await refuses(fixture, () => call({ learningRate } as never), {
        kind: 'TypeError',
        message: new RegExp(`^${message.replace(/[[\].]/g, '\\$&')}`),
      })
    }
  }
})

test('wrong options of a request are refused', async (fixture) => {
  const { store, table } = fixture
  const one = BigUint64Array.of(1n)
  const row = new Float32Array(4)
  for (const options of [null, 5, 'x', row, []]) {
    await refuses(fixture, () => store.pushAll([[table, one, row, options as never]]), {
      kind: 'TypeError',
      message: /^requests\[0\] options: expected an object/,
    })
  }
  await refuses(fixture, () => store.pushAll([[table, one, row, { rate: 1 } as never]]), {
    kind: 'RangeError',
    message: "requests[0] options: expected only learningRate, received 'rate'",
  })
})

test.run()
