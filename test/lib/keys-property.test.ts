// Properties of keys that hold for all strings, integers and slots.

import fc from 'fast-check'
import { hashKey, keysOf, setSlotKey, slotKey, slotKeys } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { xxh64 } from './support/xxh64.ts'

const test = suite('keys, properties')
const kRuns = { numRuns: 300 * Number(process.env['HOTROW_TEST_SCALE'] ?? 1) }

const slots = fc.integer({ min: 0, max: 2 ** 20 - 1 })
const shortFeatures = fc.bigInt({ min: 0n, max: 2n ** 44n - 1n })
const integers = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const keyLikes = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeNat(), integers)

test('hashKey of bytes is XXH64, whatever their length', () => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(bytes, (input) => hashKey(input) === xxh64(input)),
    kRuns,
  )
})

test('a string has the key of its UTF-8', () => {
  const text = fc.string({ unit: 'binary', maxLength: 100 })
  fc.assert(
    fc.property(text, (input) => hashKey(input) === hashKey(new TextEncoder().encode(input))),
    kRuns,
  )
})

test('keysOf is hashKey of each', () => {
  const lists = fc.array(keyLikes, { maxLength: 30 })
  fc.assert(
    fc.property(lists, (values) => {
      assert.equal([...keysOf(values)], values.map(hashKey))
    }),
    kRuns,
  )
})

test('slotKeys is slotKey of each', () => {
  const lists = fc.array(keyLikes, { maxLength: 30 })
  fc.assert(
    fc.property(slots, lists, (slot, values) => {
      const expected = values.map((value) => slotKey(slot, value))
      assert.equal([...slotKeys(slot, values)], expected)
    }),
    kRuns,
  )
})

test('slot and short feature can be read back from the key', () => {
  fc.assert(
    fc.property(slots, shortFeatures, (slot, feature) => {
      const key = slotKey(slot, feature)
      assert.is(key >> 44n, BigInt(slot))
      assert.is(key & (2n ** 44n - 1n), feature)
    }),
    kRuns,
  )
})

test('the slot of any key can be read back', () => {
  fc.assert(
    fc.property(slots, keyLikes, (slot, value) => slotKey(slot, value) >> 44n === BigInt(slot)),
    kRuns,
  )
})

test('equal integers have equal keys, as numbers and as bigints', () => {
  fc.assert(
    fc.property(slots, fc.maxSafeNat(), (slot, value) => {
      assert.is(hashKey(value), hashKey(BigInt(value)))
      assert.is(slotKey(slot, value), slotKey(slot, BigInt(value)))
    }),
    kRuns,
  )
})

test('setSlotKey agrees with slotKey for every feature of 44 bits', () => {
  const position = fc.integer({ min: 0, max: 9 })
  fc.assert(
    fc.property(slots, shortFeatures, position, (slot, feature, index) => {
      const keys = new BigUint64Array(10)
      setSlotKey(new Uint32Array(keys.buffer), index, slot, Number(feature))
      assert.is(keys[index], slotKey(slot, feature))
      assert.is(keys.filter((key) => key === 0n).length, keys[index] === 0n ? 10 : 9)
    }),
    kRuns,
  )
})

test.run()
