// Wrong arrays: every kind of value in the place of every array of every call, and every wrong
// length. Each is refused at once, named, and changes nothing.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keys } from '../support/arrays.ts'
import { type Fixture, kDim, openFixture, type Refusal, refuses } from '../support/refusals.ts'

const test = suite<Fixture>('bad arrays')

test.before(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after((fixture) => fixture.store.close())

const two = keys(1, 2)
const rows = filled(2 * kDim, 1)
const bag = Uint32Array.of(0, 2)
const pooledRow = filled(kDim, 1)
const pair = floats(1, 2)

type Call = (fixture: Fixture, value: never) => unknown

/** Where keys go: the argument's name in messages, and the call. */
const kKeyPlaces: [string, string, Call][] = [
  ['lookup', 'keys', ({ table }, value) => table.lookup(value)],
  ['lookupSync', 'keys', ({ table }, value) => table.lookupSync(value)],
  ['lookupSync into out', 'keys', ({ table }, value) => table.lookupSync(value, rows)],
  ['lookupPooled', 'keys', ({ table }, value) => table.lookupPooled(value, bag)],
  ['push', 'keys', ({ table }, value) => table.push(value, rows)],
  ['pushPooled', 'keys', ({ table }, value) => table.pushPooled(value, bag, pooledRow)],
  ['update', 'keys', ({ table }, value) => table.update(value, rows)],
  ['erase', 'keys', ({ table }, value) => table.erase(value)],
  ['lookupState', 'keys', ({ table }, value) => table.lookupState(value)],
  ['setScores', 'keys', ({ table }, value) => table.setScores(value, pair)],
  ['lookupAll', 'requests[0] keys', ({ store, table }, value) => store.lookupAll([[table, value]])],
  [
    'pushAll',
    'requests[0] keys',
    ({ store, table }, value) => store.pushAll([[table, value, rows]]),
  ],
  [
    'lookupConcat',
    'requests[0] keys',
    ({ store, table }, value) => store.lookupConcat([[table, value]]),
  ],
  [
    'lookupConcatSync',
    'requests[0] keys',
    ({ store, table }, value) => store.lookupConcatSync([[table, value]], { out: rows }),
  ],
]

/** Where floats go; `optional` where leaving them out is fine. */
const kFloatPlaces: [string, string, Call, 'optional' | 'needed'][] = [
  ['lookup', 'out', ({ table }, out) => table.lookup(two, { out }), 'optional'],
  ['lookupSync', 'out', ({ table }, out) => table.lookupSync(two, out), 'optional'],
  ['lookupPooled', 'out', ({ table }, out) => table.lookupPooled(two, bag, { out }), 'optional'],
  [
    'lookupPooled',
    'weights',
    ({ table }, weights) => table.lookupPooled(two, bag, { weights }),
    'optional',
  ],
  ['push', 'gradients', ({ table }, value) => table.push(two, value), 'needed'],
  ['pushPooled', 'gradients', ({ table }, value) => table.pushPooled(two, bag, value), 'needed'],
  [
    'pushPooled',
    'weights',
    ({ table }, weights) => table.pushPooled(two, bag, pooledRow, { weights }),
    'optional',
  ],
  ['update', 'rows', ({ table }, value) => table.update(two, value), 'needed'],
  ['lookupState', 'out', ({ table }, out) => table.lookupState(two, { out }), 'optional'],
  ['setScores', 'scores', ({ table }, value) => table.setScores(two, value), 'needed'],
  [
    'lookupConcatSync',
    'out',
    ({ store, table }, out) => store.lookupConcatSync([[table, two]], { out }),
    'optional',
  ],
  [
    'lookupAll',
    'requests[0] out',
    ({ store, table }, out) => store.lookupAll([[table, two, out]]),
    'optional',
  ],
  [
    'pushAll',
    'requests[0] gradients',
    ({ store, table }, value) => store.pushAll([[table, two, value]]),
    'needed',
  ],
  ['pull', 'out', ({ dense }, out) => dense.pull({ out }), 'optional'],
  ['dense push', 'gradient', ({ dense }, value) => dense.push(value), 'needed'],
  ['dense update', 'values', ({ dense }, value) => dense.update(value), 'needed'],
]

/** Where found goes; leaving it out is fine. */
const kFoundPlaces: [string, string, Call][] = [
  ['lookup', 'found', ({ table }, found) => table.lookup(two, { found })],
  ['lookupSync', 'found', ({ table }, found) => table.lookupSync(two, rows, { found })],
  ['lookupState', 'found', ({ table }, found) => table.lookupState(two, { found })],
  [
    'lookupConcat',
    'requests[0] options.found',
    ({ store, table }, found) => store.lookupConcat([[table, two, { found }]]),
  ],
  [
    'lookupConcatSync',
    'requests[0] options.found',
    ({ store, table }, found) => store.lookupConcatSync([[table, two, { found }]]),
  ],
]

const kOffsetPlaces: [string, string, Call][] = [
  ['lookupPooled', 'offsets', ({ table }, value) => table.lookupPooled(two, value)],
  ['pushPooled', 'offsets', ({ table }, value) => table.pushPooled(two, value, pooledRow)],
]

const kArrays = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
]

/** What could stand where an array of the class `right` should, with its name in messages. */
function wrongKinds(right: string): [unknown, string][] {
  const arrays = kArrays.filter((type) => type.name !== right)
  const imposter = Object.create(Float32Array.prototype)
  Object.defineProperty(imposter, 'constructor', { value: { name: 'BigUint64Array' } })
  return [
    ...arrays.map((type): [unknown, string] => [new type(2), type.name]),
    // A Buffer is a Uint8Array.
    ...(right === 'Uint8Array' ? [] : [[Buffer.alloc(16), 'Buffer'] as [unknown, string]]),
    [new DataView(new ArrayBuffer(16)), 'DataView'],
    [new ArrayBuffer(16), 'ArrayBuffer'],
    [[1n, 2n], 'Array'],
    [[1, 2], 'Array'],
    [{ length: 2 }, 'Object'],
    [null, 'null'],
    [2, '2'],
    [2n, '2'],
    [true, 'true'],
    [() => 1, 'a function'],
    [imposter, 'an object'],
  ]
}

function testKinds(place: string, argument: string, right: string, call: Call, optional = false) {
  test(`${place} refuses other things than a ${right} for ${argument}`, async (fixture) => {
    const wrong = wrongKinds(right)
    if (!optional) wrong.push([undefined, 'undefined'])
    for (const [value, received] of wrong) {
      const message = `${argument}: expected ${right}, received ${received}`
      await refuses(fixture, () => call(fixture, value as never), { kind: 'TypeError', message })
    }
    // A Proxy has no memory of its own, though instanceof says it is an array.
    const proxy = new Proxy(new (right === 'Float32Array' ? Float32Array : BigUint64Array)(2), {})
    const refusal = { kind: 'TypeError', message: /: expected / } as const
    await refuses(fixture, () => call(fixture, proxy as never), refusal)
  })
}

for (const [place, argument, call] of kKeyPlaces) testKinds(place, argument, 'BigUint64Array', call)
for (const [place, argument, call] of kOffsetPlaces) testKinds(place, argument, 'Uint32Array', call)
for (const [place, argument, call] of kFoundPlaces) {
  testKinds(place, argument, 'Uint8Array', call, true)
}
for (const [place, argument, call, needed] of kFloatPlaces) {
  testKinds(place, argument, 'Float32Array', call, needed === 'optional')
}

test('floats of a wrong length are refused and the message has both lengths', async (fixture) => {
  for (const [place, argument, call] of kFloatPlaces) {
    const perKey = argument === 'weights' || argument === 'scores'
    const lengths = perKey ? [0, 1, 3, 100] : [0, 1, 3, 5, 7, 9, 16, 100]
    for (const length of lengths) {
      // A rule without state wants none.
      if (place === 'lookupState' && length === 0) continue
      const message = new RegExp(
        `^${argument.replace(/[[\]]/g, '\\$&')}: expected \\d+ values .*, received ${length}$`,
      )
      const wrong = new Float32Array(length)
      const refusal: Refusal = { kind: 'RangeError', message }
      await refuses(fixture, () => call(fixture, wrong as never), refusal)
    }
    assert.ok(place)
  }
})

test('the message says where the expected length comes from', async (fixture) => {
  const { table, dense } = fixture
  const cases: [() => unknown, string][] = [
    [() => table.push(two, floats(1)), 'gradients: expected 8 values (2 keys x dim 4), received 1'],
    [() => table.update(keys(), floats(1)), 'rows: expected 0 values (0 keys x dim 4), received 1'],
    [
      () => table.pushPooled(two, Uint32Array.of(0, 1, 2), rows.subarray(1)),
      'gradients: expected 8 values (2 bags x dim 4), received 7',
    ],
    [
      () => table.lookupPooled(two, bag, { weights: floats(1) }),
      'weights: expected 2 values (one a key), received 1',
    ],
    [() => dense.push(floats(1)), "gradient: expected 6 values (the parameter's size), received 1"],
  ]
  for (const [call, message] of cases) await refuses(fixture, call, { kind: 'RangeError', message })
})

test('found of a wrong length is refused and the message has both lengths', async (fixture) => {
  for (const [, argument, call] of kFoundPlaces) {
    for (const length of [0, 2, 100]) {
      const expected = '1 bytes \\(a bit for each of 2 keys\\)'
      const name = argument.replace(/[[\]]/g, '\\$&')
      const message = new RegExp(`^${name}: expected ${expected}, received ${length}$`)
      const found = new Uint8Array(length).fill(7)
      await refuses(fixture, () => call(fixture, found as never), { kind: 'RangeError', message })
      assert.ok(found.every((byte) => byte === 7))
    }
  }
})

test('offsets of no bags at all must still begin', async (fixture) => {
  for (const [, argument, call] of kOffsetPlaces) {
    const message = new RegExp(`^${argument}: expected bags \\+ 1 values.*received none$`)
    const refusal: Refusal = { kind: 'RangeError', message }
    await refuses(fixture, () => call(fixture, new Uint32Array(0) as never), refusal)
  }
})

test('requests that are no requests are refused', async (fixture) => {
  const { store, table } = fixture
  const wrong: [unknown, string | RegExp][] = [
    [undefined, 'requests: expected an array, received undefined'],
    [new Map([[table, two]]), 'requests: expected an array, received Map'],
    [[[table, two, rows], null], 'requests[1]: expected an array, received null'],
    [[table, two, rows], 'requests[0]: expected an array, received Table'],
    [new Array(3), 'requests[0]: expected an array, received undefined'],
    [
      [
        [table, two, rows],
        [{}, two, rows],
      ],
      'requests[1]: expected a Table, received Object',
    ],
    [[['table', two, rows]], "requests[0]: expected a Table, received 'table'"],
    [[[fixture.dense, two, rows]], 'requests[0]: expected a Table, received Dense'],
    [[[Object.create(table), two, rows]], /^requests\[0\]: expected a Table/],
    [[[new Proxy(table, {}), two, rows]], /^requests\[0\]: expected a Table/],
  ]
  for (const [value, message] of wrong) {
    const refusal: Refusal = { kind: 'TypeError', message }
    await refuses(fixture, () => store.lookupAll(value as never), refusal)
    await refuses(fixture, () => store.pushAll(value as never), refusal)
    const cut = (request: unknown) => (Array.isArray(request) ? request.slice(0, 2) : request)
    const shorter = Array.isArray(value) ? value.map(cut) : value
    await refuses(fixture, () => store.lookupConcat(shorter as never), refusal)
    await refuses(fixture, () => store.lookupConcatSync(shorter as never), refusal)
  }
})

test('bytes at odd addresses are refused, and fine once copied into arrays', async (fixture) => {
  const { table } = fixture
  const odd = Buffer.alloc(40).subarray(3, 19)
  const refusal = { kind: 'TypeError', message: /^keys: .* received Buffer$/ } as const
  await refuses(fixture, () => table.lookup(odd as never), refusal)
  assert.throws(() => new BigUint64Array(odd.buffer, odd.byteOffset, 1), RangeError)
  const { deserialize, serialize } = await import('node:v8')
  const received = Buffer.concat([
    Buffer.alloc(1),
    serialize([two, floats(1, 2, 3, 4, 5, 6, 7, 8)]),
  ])
  const [copied, values] = deserialize(received.subarray(1)) as [BigUint64Array, Float32Array]
  assert.equal(await table.lookup(copied, { out: values }), table.lookupSync(two))
})

test('arrays of other realms and subclasses are arrays', async ({ table }) => {
  class OwnKeys extends BigUint64Array {}
  class OwnFloats extends Float32Array {}
  const out = new OwnFloats(2 * kDim)
  assert.is(await table.lookup(OwnKeys.from([1n, 2n]), { out }), out)
  const { runInNewContext } = await import('node:vm')
  const foreign = runInNewContext('BigUint64Array.of(1n, 2n)') as BigUint64Array
  assert.equal(await table.lookup(foreign), table.lookupSync(two))
  assert.equal(table.lookupSync(foreign), table.lookupSync(two))
})

test.run()
