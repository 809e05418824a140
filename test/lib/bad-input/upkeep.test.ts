// Wrong arguments of what is done for a table now and then, and of scans and lookups: each refused
// at once, named, and changing nothing.

import { sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keys } from '../support/arrays.ts'
import { evictions, scanned } from '../support/pages.ts'
import {
  assertRefusal,
  errorOf,
  type Fixture,
  openFixture,
  type Refusal,
  refuses,
} from '../support/refusals.ts'

const test = suite<Fixture>('bad upkeep')

test.before.each(async (fixture) => {
  const eviction = { policy: 'lowestScore', log: 10 } as const
  Object.assign(fixture, await openFixture({ eviction }))
})
test.after.each((fixture) => fixture.store.close())

const { NaN: kNaN, POSITIVE_INFINITY: kInfinity } = Number
const kNotNumbers = [null, '1', [], {}, true, 1n, Symbol('1'), () => 1]
const one = keys(1)

type Call = (table: Table, value: never) => unknown

/** Where an integer goes: its name, its limits, and the call. */
const kIntegers: [string, number, number, Call][] = [
  ['rows', 0, Number.MAX_SAFE_INTEGER, (table, rows) => table.reserve(rows)],
  ['rows', 0, Number.MAX_SAFE_INTEGER, (table, rows) => table.evict(rows)],
  ['most', 1, 1_048_576, (table, most) => table.takeEvicted(most)],
  ['most', 1, 1_048_576, (table, most) => table.evicted(most)],
  ['rows', 1, 1_048_576, (table, rows) => table.scan({ rows })],
  ['unseenMs', 0, Number.MAX_SAFE_INTEGER, (table, unseenMs) => table.shrink({ unseenMs })],
]

test('what is no integer within limits is refused, with the limits', async (fixture) => {
  const { table } = fixture
  for (const [name, least, most, call] of kIntegers) {
    const message = new RegExp(`^${name}: expected an integer from ${least} to ${most}, received`)
    for (const value of [least - 1, -5, 0.5, most + 1, 2 ** 64, -kInfinity, kInfinity, kNaN]) {
      await refuses(fixture, () => call(table, value as never), { kind: 'RangeError', message })
    }
    for (const value of kNotNumbers) {
      const refusal: Refusal = {
        kind: 'TypeError',
        message: new RegExp(`^${name}: expected a num`),
      }
      await refuses(fixture, () => call(table, value as never), refusal)
    }
  }
})

/** Where a number goes: its name, what is out of its range, and the call. */
const kNumbers: [string, RegExp, number[], Call][] = [
  ['factor', /from 0 to 1/, [-0.1, 1.1, kNaN, kInfinity], (table, x) => table.decay(x)],
  [
    'belowUses',
    /finite number of at least 0/,
    [-1, kNaN, kInfinity],
    (table, belowUses) => table.shrink({ belowUses }),
  ],
  [
    'belowNorm',
    /finite number of at least 0/,
    [-1e-30, kNaN, kInfinity],
    (table, belowNorm) => table.shrink({ belowNorm }),
  ],
  [
    'missing',
    /finite number/,
    [kNaN, kInfinity, -kInfinity, 1e39],
    (table, missing) => table.lookup(one, { missing }),
  ],
  [
    'missing',
    /finite number/,
    [kNaN, 1e300],
    (table, missing) => table.lookupSync(one, undefined, { missing }),
  ],
]

test('numbers out of range, and what is none, are refused', async (fixture) => {
  const { table } = fixture
  for (const [name, range, wrong, call] of kNumbers) {
    for (const value of wrong) {
      const message = new RegExp(`^${name}: expected .*${range.source}, received`)
      await refuses(fixture, () => call(table, value as never), { kind: 'RangeError', message })
    }
    for (const value of kNotNumbers) {
      const refusal: Refusal = {
        kind: 'TypeError',
        message: new RegExp(`^${name}: expected a num`),
      }
      await refuses(fixture, () => call(table, value as never), refusal)
    }
  }
})

test('relaxed is a boolean, a signal a signal', async (fixture) => {
  const { table } = fixture
  for (const value of [0, 1, 'yes', null, {}, []]) {
    const refusal: Refusal = {
      kind: 'TypeError',
      message: /^relaxed: expected a boolean, received/,
    }
    const relaxed = value as never
    await refuses(fixture, () => table.lookup(one, { relaxed }), refusal)
    await refuses(fixture, () => table.lookupSync(one, undefined, { relaxed }), refusal)
  }
  const imitation = Object.create(AbortSignal.prototype)
  for (const value of [null, true, {}, new AbortController(), new EventTarget(), imitation]) {
    const refusal: Refusal = { kind: 'TypeError', message: /^signal: expected an AbortSignal, rec/ }
    await refuses(fixture, () => table.scan({ signal: value as never }), refusal)
  }
})

test('options where none are taken, and fields of other calls, are refused', async (fixture) => {
  const { table } = fixture
  const wrong: [() => unknown, string][] = [
    [() => table.shrink({ unseenms: 5 } as never), 'unseenms'],
    [() => table.lookupState(one, { missing: 0 } as never), 'missing'],
    [() => table.lookupState(one, { relaxed: true } as never), 'relaxed'],
    [() => table.lookupSync(one, undefined, { out: filled(4, 0) } as never), 'out'],
    [() => table.lookup(one, { offset: 1 } as never), 'offset'],
    [() => table.scan({ from: 0n } as never), 'from'],
    [() => table.lookupPooled(one, Uint32Array.of(0, 1), { missing: 1 } as never), 'missing'],
    [() => table.push(one, filled(4, 1), { relaxed: true } as never), 'relaxed'],
  ]
  for (const [call, field] of wrong) {
    const message = new RegExp(`^options: expected only .*, received '${field}'$`)
    await refuses(fixture, call, { kind: 'RangeError', message })
  }
  for (const value of [undefined, null, 5, 'all', [], floats(1)]) {
    const refusal: Refusal = {
      kind: 'TypeError',
      message: /^options: expected an object, received/,
    }
    await refuses(fixture, () => table.shrink(value as never), refusal)
  }
})

test('scores of NaN or infinity are refused as a whole', async (fixture) => {
  const { table } = fixture
  await table.setScores(keys(1, 2), floats(5, 6))
  for (const bad of [kNaN, kInfinity, -kInfinity]) {
    for (const scores of [floats(bad, 1), floats(-9, bad)]) {
      const refusal = { kind: 'StoreError', message: /^scores: expected finite values/ } as const
      await refuses(fixture, () => table.setScores(keys(1, 2), scores), refusal)
    }
  }
  // The third row's score is 0, and nobody's became -9.
  await table.evict(1)
  assert.equal((await evictions(table)).length, 1)
  assert.equal([...(await scanned(table)).keys()].sort(), [1n, 2n])
})

test('what the policy does not know is refused and says so', async (fixture) => {
  const { store, table } = fixture
  const plain = await store.table('plain', { dim: 1, optimizer: sum() })
  const lru = await store.table('lru', { dim: 1, eviction: { policy: 'lru' } })
  for (const each of [plain, lru]) await each.push(one, floats(1))
  const calls: [() => Promise<unknown>, RegExp][] = [
    [() => plain.evict(1), /^eviction\.policy: expected a policy that can choose/],
    [() => plain.setScores(one, floats(1)), /^scores: expected .*'lowestScore'$/],
    [() => lru.setScores(one, floats(1)), /^scores: expected .*'lowestScore'$/],
    [() => table.shrink({ belowUses: 1 }), /^belowUses: expected .*'lfu' or 'ageingLfu'/],
    [() => table.shrink({ unseenMs: 1 }), /^unseenMs: expected .*ttlMs/],
  ]
  for (const [call, message] of calls) {
    assertRefusal(await errorOf(call), { kind: 'StoreError', message })
  }
  for (const each of [plain, lru]) assert.is((await each.stats()).rows, 1)
  assert.is((await table.stats()).rows, 3)
})

test.run()
