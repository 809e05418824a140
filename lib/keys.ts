/**
 * How things become keys. A key is any u64. Features of several fields can share one table by slot
 * keys: a 20-bit slot over a 44-bit feature.
 */
import { types } from 'node:util'
import { checkInteger } from './checks.ts'
import { rangeError, typeError } from './errors.ts'
import { addon } from './native.ts'

/** What can be made into a key. */
export type KeyLike = string | number | bigint

const featureLimit = 1n << 44n
const keyLimit = 1n << 64n
const maxSlot = 2 ** 20 - 1

/**
 * The key of one value: XXH64 (seed 0) of a string's UTF-8 or of bytes; an integer is its own key.
 * Throws for negative, fractional and unsafe numbers and for bigints beyond 64 bits.
 */
export function hashKey(value: KeyLike | Uint8Array): bigint {
  if (types.isUint8Array(value)) return addon.hashBytes(value)
  return keysFrom([value], () => 'value')[0] as bigint
}

function integerKey(argument: string, value: number | bigint): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw rangeError(argument, 'a safe integer, a bigint or a string', value)
  }
  const key = BigInt(value)
  if (key < 0n || key >= keyLimit)
    throw rangeError(argument, 'an integer from 0 to 2^64 - 1', value)
  return key
}

/** The keys of many values, as `hashKey`. About 0.1 µs a string. */
export function keysOf(values: readonly KeyLike[]): BigUint64Array {
  if (!Array.isArray(values)) throw typeError('values', 'an array', values)
  return keysFrom(values, (i) => `values[${i}]`)
}

/** The keys of `values`; `argument` names one of them in errors. */
function keysFrom(values: readonly KeyLike[], argument: (index: number) => string): BigUint64Array {
  const keys = new BigUint64Array(values.length)
  const strings = values.filter((value): value is string => typeof value === 'string')
  const hashes = addon.hashStrings(strings, new BigUint64Array(strings.length))
  let next = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as KeyLike
    if (typeof value === 'string') {
      keys[i] = hashes[next++] as bigint
    } else if (typeof value === 'number' || typeof value === 'bigint') {
      keys[i] = integerKey(argument(i), value)
    } else {
      throw typeError(argument(i), 'a string, an integer or a bigint', value)
    }
  }
  return keys
}

/** The 44 bits of a feature: integers below 2^44 as they are, everything longer hashed and cut. */
function featureBits(key: bigint, isInteger: boolean): bigint {
  if (isInteger && key < featureLimit) return key
  const hash = isInteger ? addon.hashBytes(new Uint8Array(BigUint64Array.of(key).buffer)) : key
  return hash & (featureLimit - 1n)
}

/**
 * The key of a feature in a slot (field): `slot` from 0 to 2^20 - 1 in the upper 20 bits; below it
 * the feature. An integer below 2^44 fills the low bits directly; strings and longer integers are
 * hashed and cut to 44 bits.
 */
export function slotKey(slot: number, feature: KeyLike): bigint {
  return slotKeysFrom(slot, [feature], () => 'feature')[0] as bigint
}

/** The keys of many features in one slot, as `slotKey`. */
export function slotKeys(slot: number, features: readonly KeyLike[]): BigUint64Array {
  if (!Array.isArray(features)) throw typeError('features', 'an array', features)
  return slotKeysFrom(slot, features, (i) => `features[${i}]`)
}

function slotKeysFrom(
  slot: number,
  features: readonly KeyLike[],
  argument: (index: number) => string,
): BigUint64Array {
  const high = BigInt(checkInteger('slot', slot, 0, maxSlot)) << 44n
  const keys = keysFrom(features, argument)
  for (let i = 0; i < keys.length; i++) {
    keys[i] = high | featureBits(keys[i] as bigint, typeof features[i] !== 'string')
  }
  return keys
}

/**
 * Writes the slot key of an integer feature into a batch, for loops where every nanosecond
 * counts: nothing is checked, no bigint is made.
 *
 * @param words - a Uint32Array over the buffer of the BigUint64Array of keys
 * @param index - position of the key
 * @param slot - 0 to 2^20 - 1
 * @param feature - an integer from 0 to 2^44 - 1
 */
export function setSlotKey(words: Uint32Array, index: number, slot: number, feature: number): void {
  words[2 * index] = feature
  words[2 * index + 1] = (slot << 12) | (feature / 0x1_0000_0000)
}
