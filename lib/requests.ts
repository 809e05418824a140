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
  /**
   * The first column. By default the one behind the request before. No column may be in two
   * requests.
   */
  offset?: number
  /** Copies of each row, one after the other: a user's row for each of M items. By default 1. */
  repeat?: number
}

/** The result of `lookupConcat`. */
export interface ConcatOptions {
  /** Values from one row to the next. By default as many as the requests need. */
  stride?: number
}

/** Most values from one row to the next, most rows, and most copies of one. */
const most = 2 ** 31 - 1

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

/** The columns of the result that one request fills, `end` excluded. */
interface Columns {
  begin: number
  end: number
}

function checkApart(argument: string, its: Columns, others: readonly Columns[]): void {
  const met = others.findIndex(({ begin, end }) => its.begin < end && begin < its.end)
  if (met < 0) return
  throw rangeError(argument, `columns apart from those of requests[${met}]`, its.begin)
}

/**
 * The requests of `lookupConcat`, and an array for what they give unless the options, which may
 * have the fields `also`, hold one.
 */
export function nativeConcat(
  requests: readonly ConcatRequest[],
  options: (ConcatOptions & { out?: Float32Array }) | undefined,
  also: readonly 'out'[] = [],
): Concat {
  checkCallOptions(options, ['stride', ...also])
  const wished = options?.stride
  // Where `out` is not to be given, an inherited one is nobody's wish.
  const out = also.includes('out') ? options?.out : undefined
  let rows: number | undefined
  const filled: Columns[] = []
  const parts = nativeRequests(requests, ([table, keys, place], argument): NativeConcat => {
    const native = nativeOf(argument, table)
    const name = `${argument} options`
    const wishes = checkLookupOptions(place, ['offset', 'repeat'], `${argument} `)
    const { offset = filled.at(-1)?.end ?? 0, repeat = 1 } = place ?? {}
    const begin = checkInteger(`${name}.offset`, offset, 0, most - table.dim)
    const copies = checkInteger(`${name}.repeat`, repeat, 1, most)
    const product = countOf(`${argument} keys`, keys, 'BigUint64Array') * copies
    const given = checkInteger(`${argument} keys x repeat`, product, 0, most)
    rows ??= given
    if (given !== rows) {
      throw rangeError(`${argument} keys x repeat`, `${rows} rows as of requests[0]`, given)
    }
    const columns = { begin, end: begin + table.dim }
    checkApart(`${name}.offset`, columns, filled)
    filled.push(columns)
    const { found, missing, relaxed, maxAge } = wishes
    return [native, keys, begin, copies, found, missing, relaxed, maxAge]
  })
  const width = filled.reduce((widest, { end }) => Math.max(widest, end), 0)
  const stride = checkInteger('stride', wished === undefined ? width : wished, width, most)
  const size = (rows ?? 0) * stride
  return { parts, size, stride, out: out === undefined ? newFloats(rows ?? 0, stride) : out }
}
