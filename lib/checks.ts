/**
 * Checks of arguments that every call shares: what comes out has the type and range that it should,
 * or a TypeError or RangeError that names the argument has been thrown.
 */
import { types } from 'node:util'
import { rangeError, StoreError, typeError } from './errors.ts'
import type { LookupOptions, PushOptions, UpdateOptions } from './options.ts'

/** The fields of an object that a caller gave. */
export type Fields = Record<string, unknown>

/** `value` as an object with no fields but `known`. */
export function checkObject(argument: string, value: unknown, known: readonly string[]): Fields {
  const isArray = Array.isArray(value) || ArrayBuffer.isView(value)
  if (typeof value !== 'object' || value === null || isArray) {
    throw typeError(argument, 'an object', value)
  }
  for (const field of Object.keys(value)) {
    if (!known.includes(field)) throw rangeError(argument, `only ${known.join(', ')}`, field)
  }
  return value as Fields
}

/** Options of a call: absent, or an object with no fields but `known`. */
export function checkCallOptions(
  options: unknown,
  known: readonly string[],
  argument = 'options',
): void {
  if (options === undefined) return
  if (ArrayBuffer.isView(options)) {
    throw typeError(argument, `an object with ${known.join(', ')}`, options)
  }
  checkObject(argument, options, known)
}

/** Any number, NaN and infinity too: their range is the core's to judge. */
export function checkNumber(argument: string, value: unknown): number {
  if (typeof value !== 'number') throw typeError(argument, 'a number', value)
  return value
}

/** A number that is finite as f32 holds it, and that one. */
export function checkFinite(argument: string, value: unknown): number {
  const number = Math.fround(checkNumber(argument, value))
  if (Number.isFinite(number)) return number
  throw rangeError(argument, 'a finite number', value)
}

/** A finite number from 0 on. */
export function checkNotNegative(argument: string, value: unknown): number {
  const number = checkNumber(argument, value)
  if (Number.isFinite(number) && number >= 0) return number
  throw rangeError(argument, 'a finite number of at least 0', value)
}

/** A number from 0 to 1. */
export function checkShare(argument: string, value: unknown): number {
  const number = checkNumber(argument, value)
  if (number >= 0 && number <= 1) return number
  throw rangeError(argument, 'a number from 0 to 1', value)
}

/** An integer from `least` to `most`; the limits are written out in messages. */
export function checkInteger(
  argument: string,
  value: unknown,
  least: number,
  most: number,
): number {
  const number = checkNumber(argument, value)
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw rangeError(argument, `an integer from ${least} to ${most}`, value)
}

export function checkBoolean(argument: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw typeError(argument, 'a boolean', value)
  return value
}

/** A signal to stop, or none. */
export function checkSignal(argument: string, value: unknown): void {
  if (value === undefined || isSignal(value)) return
  throw typeError(argument, 'an AbortSignal', value)
}

function isSignal(value: unknown): boolean {
  // A caller's object may throw here, and an imitation's `aborted` does.
  try {
    return value instanceof AbortSignal && typeof value.aborted === 'boolean'
  } catch {
    return false
  }
}

/** A file's name; '' for none. */
export function checkFile(argument: string, value: unknown): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') throw typeError(argument, 'a string', value)
  if (value === '' || value.includes('\0')) throw rangeError(argument, "a file's name", value)
  return value
}

/** The position of `value` in `choices`. */
export function checkChoice(argument: string, value: unknown, choices: readonly string[]): number {
  const expected = (): string => `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`
  if (typeof value !== 'string') throw typeError(argument, expected(), value)
  const index = choices.indexOf(value)
  if (index < 0) throw rangeError(argument, expected(), value)
  return index
}

/** A name of a table or dense parameter. */
export function checkName(value: unknown): string {
  if (typeof value !== 'string') throw typeError('name', 'a string', value)
  const utf8 = Buffer.from(value)
  if (utf8.length < 1 || utf8.length > 255) {
    throw rangeError('name', 'a string of 1 to 255 bytes in UTF-8', `${utf8.length} bytes`)
  }
  // Lone surrogates all become one replacement character: two names would be one.
  if (utf8.toString() !== value) throw rangeError('name', 'well-formed Unicode', value)
  return value
}

/** The learning rate of a push, as f32 holds it; 0 when there is none. */
export function checkLearningRate(options: PushOptions | undefined, argument = ''): number {
  const value = options?.learningRate
  if (value === undefined) return 0
  const rate = Math.fround(checkNumber(`${argument}learningRate`, value))
  if (Number.isFinite(rate) && rate > 0) return rate
  throw rangeError(`${argument}learningRate`, 'a finite number above 0', value)
}

/** An update's options as the addon takes them; it checks `state` itself. */
export function checkUpdateOptions(options: UpdateOptions | undefined): {
  state: Float32Array | undefined
  steps: number
} {
  checkCallOptions(options, ['state', 'steps'])
  const { state, steps = 0 } = options ?? {}
  return { state, steps: checkInteger('steps', steps, 0, Number.MAX_SAFE_INTEGER) }
}

/** A lookup's options as the addon takes them; it checks `found` itself. */
export interface LookupWishes {
  found: Uint8Array | undefined
  missing: number | undefined
  relaxed: boolean | undefined
  maxAge: number | undefined
}

const lookupFields = ['found', 'missing', 'relaxed', 'maxAgeMs']
const noWishes: LookupWishes = {
  found: undefined,
  missing: undefined,
  relaxed: undefined,
  maxAge: undefined,
}

/** The options of a lookup, which may have the fields `also` beside them. */
export function checkLookupOptions(
  options: LookupOptions | undefined,
  also: readonly string[] = [],
  argument = '',
): LookupWishes {
  if (options === undefined) return noWishes
  checkCallOptions(options, [...also, ...lookupFields], `${argument}options`)
  const name = argument === '' ? '' : `${argument}options.`
  const { found, missing, relaxed, maxAgeMs } = options
  return {
    found,
    missing: missing === undefined ? undefined : checkFinite(`${name}missing`, missing),
    relaxed: relaxed === undefined ? undefined : checkBoolean(`${name}relaxed`, relaxed),
    maxAge:
      maxAgeMs === undefined
        ? undefined
        : checkInteger(`${name}maxAgeMs`, maxAgeMs, 1, Number.MAX_SAFE_INTEGER),
  }
}

/** A number of rows to expect: the array's length, once it is known to be such an array. */
export function countOf(
  argument: string,
  array: BigUint64Array | Uint32Array,
  type: 'BigUint64Array' | 'Uint32Array',
): number {
  const fits =
    type === 'BigUint64Array' ? types.isBigUint64Array(array) : types.isUint32Array(array)
  if (!fits) throw typeError(argument, type, array)
  return array.length
}

/** A new result array of `rows` rows; ERR_CAPACITY when the runtime has no memory for it. */
export function newFloats(rows: number, dim: number): Float32Array {
  try {
    return new Float32Array(rows * dim)
  } catch {
    throw noMemory(`a result of ${rows} rows of ${dim} values`)
  }
}

/** As newFloats, of keys. */
export function newKeys(count: number): BigUint64Array {
  try {
    return new BigUint64Array(count)
  } catch {
    throw noMemory(`a result of ${count} keys`)
  }
}

/** As newFloats, of bytes. */
export function newBytes(count: number): Uint8Array {
  try {
    return new Uint8Array(count)
  } catch {
    throw noMemory(`a result of ${count} bytes`)
  }
}

function noMemory(what: string): StoreError {
  const fields = { scope: 'call', outcome: 'none', retryable: true } as const
  return new StoreError('ERR_CAPACITY', `no memory for ${what}`, fields)
}
