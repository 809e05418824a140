// Keys of strings, integers and slots: known values, limits, and refusals.

import { hashKey, keysOf, setSlotKey, slotKey, slotKeys } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kLastKey } from './support/arrays.ts'
import { assertRefusal, errorAtOnce, type Refusal } from './support/refusals.ts'

const test = suite('keys')

// XXH64 with seed 0, from the test vectors of xxHash and its command line tool.
const kVectors: [string, bigint][] = [
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['abc', 0x44bc2cf5ad770999n],
]
const kFeatureMask = 2n ** 44n - 1n

test('hashKey of a string is XXH64 of its UTF-8', () => {
  for (const [text, hash] of kVectors) {
    assert.is(hashKey(text), hash)
    assert.is(hashKey(new TextEncoder().encode(text)), hash)
    assert.is(hashKey(Buffer.from(text)), hash)
  }
  for (const text of ['é', '🔥', 'x'.repeat(31), 'y'.repeat(32), 'z'.repeat(1000), 'a\0b']) {
    assert.is(hashKey(text), hashKey(new TextEncoder().encode(text)), text)
  }
})

test('hashKey of bytes takes the bytes of a view and no others', () => {
  const bytes = Uint8Array.from([1, 2, 3, 97, 98, 99, 4])
  assert.is(hashKey(bytes.subarray(3, 6)), 0x44bc2cf5ad770999n)
})

test('an integer is its own key', () => {
  assert.is(hashKey(0), 0n)
  assert.is(hashKey(Number.MAX_SAFE_INTEGER), 2n ** 53n - 1n)
  assert.is(hashKey(kLastKey), kLastKey)
  assert.is(hashKey(-0), 0n)
})

test('keysOf mixes strings and integers and keeps their order', () => {
  const found = keysOf(['a', 1, 2n ** 63n, 'abc', '', kLastKey])
  assert.instance(found, BigUint64Array)
  const [empty, a, abc] = kVectors.map(([, hash]) => hash)
  assert.equal([...found], [a, 1n, 2n ** 63n, abc, empty, kLastKey])
  assert.is(keysOf([]).length, 0)
})

test('slotKey puts 20 bits of slot over 44 bits of feature', () => {
  assert.is(slotKey(0, 0), 0n)
  assert.is(slotKey(1, 0), 1n << 44n)
  assert.is(slotKey(3, 5), (3n << 44n) | 5n)
  assert.is(slotKey(2 ** 20 - 1, 2 ** 44 - 1), kLastKey)
  assert.is(slotKey(2 ** 20 - 1, 0n), (2n ** 20n - 1n) << 44n)
  assert.is(slotKey(7, 2n ** 44n - 1n), (8n << 44n) - 1n)
})

test('strings are hashed and cut to 44 bits', () => {
  for (const [text, hash] of kVectors) {
    assert.is(slotKey(9, text), (9n << 44n) | (hash & kFeatureMask))
  }
  assert.is.not(slotKey(9, '5'), slotKey(9, 5))
})

test('integers of more than 44 bits are hashed by their eight bytes, lowest first', () => {
  for (const feature of [2n ** 44n, 2n ** 53n - 1n, 2n ** 63n, kLastKey]) {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, feature, true)
    assert.is(slotKey(2, feature), (2n << 44n) | (hashKey(bytes) & kFeatureMask))
  }
  assert.is(slotKey(2, 2 ** 50), slotKey(2, 2n ** 50n))
})

test('slotKeys is slotKey of each feature', () => {
  const features = ['a', 1, 2n ** 50n, '', 'abc', 2 ** 44 - 1]
  assert.equal(
    [...slotKeys(77, features)],
    features.map((feature) => slotKey(77, feature)),
  )
})

test('setSlotKey writes what slotKey gives, and only there', () => {
  const keys = new BigUint64Array(3)
  const words = new Uint32Array(keys.buffer)
  const features = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 43 + 12_345, 2 ** 44 - 1]
  for (const slot of [0, 1, 2 ** 19, 2 ** 20 - 1]) {
    for (const feature of features) {
      keys.fill(kLastKey)
      setSlotKey(words, 1, slot, feature)
      assert.equal([...keys], [kLastKey, slotKey(slot, feature), kLastKey])
    }
  }
})

const kSlots: Refusal = {
  kind: 'RangeError',
  message: /^slot: expected an integer from 0 to 1048575, received /,
}

/** What is refused, and how. */
const kWrong: [string, () => unknown, Refusal][] = [
  ...[-1, 2 ** 20, 1.5, Number.NaN, Number.POSITIVE_INFINITY].map(
    (slot): [string, () => unknown, Refusal] => [`slot ${slot}`, () => slotKey(slot, 1), kSlots],
  ),
  [
    'a slot as text',
    () => slotKey('1' as never, 1),
    { kind: 'TypeError', message: "slot: expected a number, received '1'" },
  ],
  [
    'a negative feature',
    () => slotKey(1, -1),
    { kind: 'RangeError', message: 'feature: expected an integer from 0 to 2^64 - 1, received -1' },
  ],
  [
    'a fraction',
    () => hashKey(1.5),
    {
      kind: 'RangeError',
      message: 'value: expected a safe integer, a bigint or a string, received 1.5',
    },
  ],
  [
    'an unsafe number',
    () => keysOf([1, 2 ** 53]),
    { kind: 'RangeError', message: /^values\[1\]: expected a safe integer/ },
  ],
  [
    'a bigint of 65 bits',
    () => keysOf([2n ** 64n]),
    { kind: 'RangeError', message: /^values\[0\]: expected an integer from 0 to 2\^64 - 1/ },
  ],
  [
    'a negative bigint',
    () => slotKeys(1, ['a', -1n]),
    { kind: 'RangeError', message: /^features\[1\]: expected an integer from 0/ },
  ],
  ...[undefined, null, {}, [], true, Symbol('x'), () => 1, new Float64Array(1)].map(
    (value): [string, () => unknown, Refusal] => [
      `a key of ${typeof value}`,
      () => hashKey(value as never),
      {
        kind: 'TypeError',
        message: /^value: expected a string, an integer or a bigint, received /,
      },
    ],
  ),
  [
    'a hole in the values',
    () => keysOf(new Array(2)),
    { kind: 'TypeError', message: /^values\[0\]: .* received undefined$/ },
  ],
  [
    'values that are no array',
    () => keysOf('ab' as never),
    { kind: 'TypeError', message: "values: expected an array, received 'ab'" },
  ],
  [
    'features that are no array',
    () => slotKeys(1, new Set(['a']) as never),
    { kind: 'TypeError', message: 'features: expected an array, received Set' },
  ],
  [
    'what only looks like bytes',
    () => hashKey(Object.create(Uint8Array.prototype)),
    { kind: 'TypeError', message: /^value: expected/ },
  ],
]

for (const [what, call, refusal] of kWrong) {
  test(`${what} is refused`, () => assertRefusal(errorAtOnce(call), refusal))
}

test('detached and shared bytes are refused', () => {
  const gone = new Uint8Array(8)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  const detached = { kind: 'TypeError', message: /^value: .* detached$/ } as const
  assertRefusal(
    errorAtOnce(() => hashKey(gone)),
    detached,
  )
  const shared = { kind: 'TypeError', message: /^value: .* SharedArrayBuffer/ } as const
  assertRefusal(
    errorAtOnce(() => hashKey(new Uint8Array(new SharedArrayBuffer(8)))),
    shared,
  )
})

test.run()
