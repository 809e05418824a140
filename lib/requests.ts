/** What calls over several tables take, and the same as the addon takes it. */
import type { NativeConcat, NativeLookup, NativePush } from './addon.ts'
import {
  checkCallOptions,
  checkInteger,
  checkLearningRate,
  checkLookupOptions,
  countOf,
  newFloats,
} from './checks.ts'
import { rangeError, typeError } from './errors.ts'
import type { LookupOptions, PushOptions } from './options.ts'
import { nativeOf, type Table } from './table.ts'

/** A table's part of `lookupAll`: the table, its keys [n], and optionally an `out` [n * dim]. */
export type LookupRequest = readonly [Table, BigUint64Array, Float32Array?]
/**
 * A table's part of `pushAll`: the table, its keys [n], their gradients [n * dim], and optionally
 * the options of this push.
 */
export type PushRequest = readonly [Table, BigUint64Array, Float32Array, PushOptions?]
/**
 * A table's part of `lookupConcat`: the table, its keys, and optionally where its rows go. Keys
 * times `repeat` is the number of rows of the result, the same for all requests.
 */
export type ConcatRequest = readonly [Table, BigUint64Array, ConcatPlace?]

/** Where a request's rows go, and how they are looked up. */
export interface ConcatPlace extends LookupOptions {
  /** The first column. By default the one behind the request before. */
  offset?: number
  /** Copies of each row, one after the other: a user's row for each of M items. By default 1. */
  repeat?: number
}

/** The result of `lookupConcat`. */
export interface ConcatOptions {
  /** Values from one row to the next. By default as many as the requests need. */
  stride?: number
}

/** Most values from one row to the next. */
const maxStride = 2 ** 31 - 1

/** The requests as the addon takes them; their arrays are checked by the addon. */
function nativeRequests<Request, Native>(
  requests: readonly Request[],
  convert: (request: Request, argument: string) => Native,
): Native[] {
  if (!Array.isArray(requests)) throw typeError('requests', 'an array', requests)
  // Array.from sees the holes that map skips, and calls no method of the caller's array.
  return Array.from({ length: requests.length }, (_, i): Native => {
    const request: unknown = requests[i]
    if (!Array.isArray(request)) throw typeError(`requests[${i}]`, 'an array', request)
    return convert(request as Request, `requests[${i}]`)
  })
}

export function nativeLookups(requests: readonly LookupRequest[]): NativeLookup[] {
  return nativeRequests(requests, ([table, keys, out], argument): NativeLookup => {
    const native = nativeOf(argument, table)
    if (out !== undefined) return [native, keys, out, false]
    const count = countOf(`${argument} keys`, keys, 'BigUint64Array')
    return [native, keys, newFloats(count, table.dim), true]
  })
}

export function nativePushes(requests: readonly PushRequest[]): NativePush[] {
  return nativeRequests(requests, ([table, keys, gradients, options], argument): NativePush => {
    const native = nativeOf(argument, table)
    checkCallOptions(options, ['learningRate'], `${argument} options`)
    return [native, keys, gradients, checkLearningRate(options, `${argument} options.`)]
  })
}

interface Concat {
  parts: NativeConcat[]
  /** Values of `out`: rows * stride. */
  size: number
  stride: number
  out: Float32Array
}

/** The requests of `lookupConcat`, and an array for what they give unless there is one. */
export function nativeConcat(
  requests: readonly ConcatRequest[],
  options: ConcatOptions | undefined,
  out?: Float32Array,
): Concat {
  checkCallOptions(options, out === undefined ? ['stride'] : ['stride', 'out'])
  let rows: number | undefined
  let end = 0
  let width = 0
  const parts = nativeRequests(requests, ([table, keys, place], argument): NativeConcat => {
    const native = nativeOf(argument, table)
    const { found, missing, relaxed } = checkLookupOptions(
      place,
      ['offset', 'repeat'],
      `${argument} `,
    )
    const { offset = end, repeat = 1 } = place ?? {}
    const name = `${argument} options`
    const column = checkInteger(`${name}.offset`, offset, 0, maxStride - table.dim)
    const copies = checkInteger(`${name}.repeat`, repeat, 1, 2 ** 31 - 1)
    const given = countOf(`${argument} keys`, keys, 'BigUint64Array') * copies
    rows ??= given
    if (given !== rows) {
      throw rangeError(`${argument} keys`, `keys x repeat of ${rows} rows, as requests[0]`, given)
    }
    end = column + table.dim
    width = Math.max(width, end)
    return [native, keys, column, copies, found, missing, relaxed]
  })
  const stride = checkInteger('stride', options?.stride ?? width, width, maxStride)
  const size = (rows ?? 0) * stride
  return { parts, size, stride, out: out === undefined ? newFloats(rows ?? 0, stride) : out }
}
