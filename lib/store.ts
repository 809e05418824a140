/** A store: tables and dense parameters under names. */
import type { NativeLookup, NativePush, NativeStore, ParameterInfo, StoreStats } from './addon.ts'
import { checkCallOptions, checkLearningRate, checkName, countOf, newFloats } from './checks.ts'
import { completeDenseOptions, completeStoreOptions, completeTableOptions } from './complete.ts'
import { Dense } from './dense.ts'
import { closedError, rangeError, rejecting, typeError } from './errors.ts'
import { addon } from './native.ts'
import type { DenseOptions, PushOptions, StoreOptions, TableOptions } from './options.ts'
import { nativeOf, Table } from './table.ts'

/** A table's part of `lookupAll`: the table, its keys [n], and optionally an `out` [n * dim]. */
export type LookupRequest = readonly [Table, BigUint64Array, Float32Array?]
/**
 * A table's part of `pushAll`: the table, its keys [n], their gradients [n * dim], and optionally
 * the options of this push.
 */
export type PushRequest = readonly [Table, BigUint64Array, Float32Array, PushOptions?]

/**
 * Opens the store at `path`.
 *
 * `':memory:'` is a new private store; `':memory:NAME'` one that every opener of NAME in the
 * process shares. Any other path names one store for the process: opening it again, from a
 * worker thread too, gives the same native store until its last opener closes it. Nothing is
 * written to the path yet: rows live in memory.
 *
 * Options must equal those of the first opener or be left out, else ERR_CONFLICT.
 */
export function open(path: string, options: StoreOptions = {}): Promise<Store> {
  if (typeof path !== 'string') throw typeError('path', 'a string', path)
  if (path === '' || path.includes('\0')) {
    throw rangeError('path', "a path without zero bytes, ':memory:' or ':memory:NAME'", path)
  }
  const native = new addon.NativeStore(path, completeStoreOptions(options))
  return native.open().then(
    (canonical) => new Store(canonical, native),
    async (error) => {
      await native.close()
      throw error
    },
  )
}

/** An open store; made by `open`. */
export class Store {
  /** Where it was opened, absolute. */
  readonly path: string
  readonly #native: NativeStore
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(path: string, native: NativeStore) {
    this.path = path
    this.#native = native
  }

  /** Whether `close` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  #call<T>(work: (native: NativeStore) => Promise<T>): Promise<T> {
    if (!this.closed) return rejecting(() => work(this.#native))
    return Promise.reject(closedError(`the store '${this.path}'`))
  }

  /**
   * Opens the table `name`, creating it when there is none. Rejects with ERR_CONFLICT when it has
   * other options, naming the first that differs.
   */
  table(name: string, options: TableOptions): Promise<Table> {
    checkName(name)
    const complete = completeTableOptions(options)
    // A snapshot: the caller may change its object as soon as the call has returned.
    const given = { ...options, dim: complete.dim, ...frozenGroups(options) }
    return this.#call((native) =>
      native.table(name, complete).then((made) => new Table(name, given, made, this)),
    )
  }

  /** As `table`, for a dense parameter. Tables and dense parameters share one space of names. */
  dense(name: string, options: DenseOptions): Promise<Dense> {
    checkName(name)
    const complete = completeDenseOptions(options)
    const given = { ...options, shape: complete.shape }
    return this.#call((native) =>
      native.dense(name, complete).then((made) => new Dense(name, given, made, this)),
    )
  }

  /** Looks up several tables in one call. The results come in the order of the requests. */
  lookupAll(requests: readonly LookupRequest[]): Promise<Float32Array[]> {
    return rejecting(() => {
      const parts = nativeRequests(requests, nativeLookup)
      return this.#call((native) => native.lookupAll(parts))
    })
  }

  /** Pushes to several tables, each at most once in a call: all of it is applied or nothing. */
  pushAll(requests: readonly PushRequest[]): Promise<void> {
    const parts = nativeRequests(requests, nativePush)
    return this.#call((native) => native.pushAll(parts))
  }

  /** Everything in the store, by name. */
  tables(): Promise<ParameterInfo[]> {
    return this.#call((native) => native.list())
  }

  /**
   * Removes a table or dense parameter and frees its memory; its handles reject with ERR_CLOSED
   * from then on. Rejects with ERR_NOT_FOUND when there is none of that name.
   */
  drop(name: string): Promise<void> {
    checkName(name)
    return this.#call((native) => native.drop(name))
  }

  /** Memory and counts. */
  stats(): Promise<StoreStats> {
    return this.#call((native) => native.stats())
  }

  /**
   * Ends this opener's use after the calls made before have ended; the last opener's close frees
   * the memory. Later calls fail with ERR_CLOSED. Closing again is fine.
   */
  close(): Promise<void> {
    this.#closing ??= this.#native.close()
    return this.#closing
  }

  /** `await using store = await open(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** A copy of the groups that nobody can change, if there are any. */
function frozenGroups({ groups }: TableOptions): Pick<TableOptions, 'groups'> {
  if (groups === undefined) return {}
  return { groups: Object.freeze(Array.from(groups, (group) => Object.freeze({ ...group }))) }
}

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

function nativeLookup([table, keys, out]: LookupRequest, argument: string): NativeLookup {
  const native = nativeOf(argument, table)
  if (out !== undefined) return [native, keys, out, false]
  const count = countOf(`${argument} keys`, keys, 'BigUint64Array')
  return [native, keys, newFloats(count, table.dim), true]
}

function nativePush([table, keys, gradients, options]: PushRequest, argument: string): NativePush {
  const native = nativeOf(argument, table)
  checkCallOptions(options, ['learningRate'], `${argument} options`)
  return [native, keys, gradients, checkLearningRate(options, `${argument} options.`)]
}
