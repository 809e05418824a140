/**
 * A local table with a tier behind it, read as one: what a serving process has when the model is
 * larger than its memory.
 *
 * A lookup asks the local table first. Keys without a row there go to the tier in one call, each
 * once. Rows that are missed again and again are promoted into the local table, whose own eviction
 * makes room for them. All calls on a store take effect in the order they were made (table.ts):
 * that a version is switched by one `erase` between two lookups, without waiting, rests on it.
 */
import { checkChoice, checkInteger, checkObject, checkSignal } from '../checks.ts'
import { rangeError, StoreError, typeError } from '../errors.ts'
import type { LookupOptions } from '../options.ts'
import { Table } from '../table.ts'
import { Flights, type RemoteRow } from './flights.ts'
import { PromotedKeys, Sightings, wordsOf } from './heat.ts'
import { ask, checkOut, checkWish, lookupTogether, type Wish } from './lookups.ts'
import { distinctMisses, type Local, placeRows } from './misses.ts'
import type { RemoteTier } from './tier.ts'

/** How a table reads the tier behind it. */
export interface TieredOptions {
  /** A request to the tier that takes longer has failed: 1 to 3,600,000. By default 1,000. */
  timeoutMs?: number
  /**
   * What a lookup does when the tier fails or is slow: reject (the default), or answer as if the
   * tier had no row of the keys it was asked for. Rows of a wrong size always reject.
   */
  onError?: 'reject' | 'missing'
  /**
   * Misses of a key that bring its row into the local table: 1 to 255, by default 2; 0: none does.
   * They are counted in 576 KiB: of keys that share one of 65,536 places, the last one's.
   */
  promoteAfter?: number
  /**
   * Rows that the view has in the local table at most: a further one sends the oldest away. 1 to
   * 2^30, by default 1,048,576. The view remembers their keys, 8 bytes each.
   */
  promotedRows?: number
}

/** How a tiered table is looked up. */
export interface TieredLookupOptions extends LookupOptions {
  /** [n * dim], filled instead of a new array. */
  out?: Float32Array
  /** Ends the wait: the lookup rejects with the signal's reason. */
  signal?: AbortSignal
}

/** What a tiered table has done so far; keys are counted as often as they were given. */
export interface TieredStats {
  /** Keys looked up. */
  keys: number
  /** Of these: with a row in the local table, with one in the tier, with none. */
  localHits: number
  remoteHits: number
  missing: number
  /** Calls of the tier. */
  requests: number
  /** Lookups that took the tier's failure for missing rows (`onError: 'missing'`). */
  failures: number
  /** Rows brought into the local table, and those that it would not take. */
  promoted: number
  refused: number
}

/** A table's part of `lookupAllTiered`. */
export type TieredRequest = readonly [TieredTable, BigUint64Array, LookupOptions?]

/** A local table with a tier behind it; made by `tieredTable`. */
export class TieredTable {
  readonly name: string
  /** Values per row. */
  readonly dim: number
  readonly tier: RemoteTier
  readonly #local: Table
  readonly #flights: Flights
  readonly #missingOnError: boolean
  readonly #promoteAfter: number
  readonly #sightings = new Sightings()
  readonly #promoted: PromotedKeys
  /** Of the rows promoted; null: not one version, so that they go before the next lookup. */
  #version: number | undefined | null
  /** Keys promoted from other versions whose removal is not known to have ended. */
  #leaving: BigUint64Array[] = []
  /** The removal of another version's rows; lookups issued after it see none of them. */
  #switching: Promise<unknown> = Promise.resolve()
  readonly #stats = { keys: 0, localHits: 0, remoteHits: 0, missing: 0 }
  #failures = 0
  #promotions = 0
  #refused = 0

  /** @internal */
  constructor(local: Table, tier: RemoteTier, options: Required<TieredOptions>) {
    this.name = local.name
    this.dim = local.dim
    this.tier = tier
    this.#local = local
    this.#flights = new Flights(tier, local.name, local.dim * 4, options.timeoutMs)
    this.#missingOnError = options.onError === 'missing'
    this.#promoteAfter = options.promoteAfter
    this.#promoted = new PromotedKeys(options.promotedRows)
    this.#version = tier.version
  }

  /**
   * Copies the row of each key: the local table's, else the tier's, else what the local table gives
   * for a missing key. `found` tells which keys had a row in either.
   *
   * `out` and `found` are filled at once when everything is there. When the lookup rejects, both
   * are as they were: with ERR_IO_ERROR when the tier failed or took longer than `timeoutMs`,
   * ERR_CORRUPTION when it gave a row of a wrong size, the error of the tier if it is a StoreError,
   * and everything that `Table.lookup` rejects with. `keys` may be refilled at once, `out` and
   * `found` may not. Lookups that miss the same key at the same time share its request, and its
   * failure.
   *
   * @param keys - [n], duplicates welcome: a key is asked for once
   * @returns [n * dim]
   */
  lookup(keys: BigUint64Array, options?: TieredLookupOptions): Promise<Float32Array> {
    const wish = checkWish(this, keys, options, ['out', 'signal'], '')
    const { out, signal } = options ?? {}
    checkSignal('signal', signal)
    if (out !== undefined) checkOut(out, keys.length * this.dim, wish.found)
    return lookupTogether([wish], signal, out).then(([rows]) => out ?? (rows as Float32Array))
  }

  /** What it has done so far. */
  stats(): TieredStats {
    return {
      ...this.#stats,
      requests: this.#flights.requests,
      failures: this.#failures,
      promoted: this.#promotions,
      refused: this.#refused,
    }
  }

  /**
   * Asks the local table, at this very moment, and then the tier.
   *
   * @internal
   */
  [ask](wish: Wish, version: number | undefined): Promise<Local> {
    this.#switchTo(version)
    const { keys, missing, relaxed, maxAge } = wish
    const found = new Uint8Array(Math.ceil(keys.length / 8))
    const options = {
      found,
      ...(missing === undefined ? {} : { missing }),
      ...(relaxed === undefined ? {} : { relaxed }),
      ...(maxAge === undefined ? {} : { maxAgeMs: maxAge }),
    }
    const looked = this.#local.lookup(keys, options)
    return Promise.all([looked, this.#switching]).then(([rows]) =>
      this.#complete(keys, { rows, found }, version),
    )
  }

  /** Rows promoted from another version go; if that fails, lookups fail, and the next one tries. */
  #switchTo(version: number | undefined): void {
    if (version === this.#version) return
    this.#version = version
    this.#leaving.push(this.#promoted.clear())
    const parts = [...this.#leaving]
    const keys = new BigUint64Array(parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of parts) {
      keys.set(part, at)
      at += part.length
    }
    this.#switching = keys.length === 0 ? Promise.resolve() : this.#local.erase(keys)
    this.#switching.then(
      () => {
        this.#leaving = this.#leaving.filter((part) => !parts.includes(part))
      },
      () => {
        this.#version = null
      },
    )
  }

  async #complete(keys: BigUint64Array, local: Local, version: number | undefined): Promise<Local> {
    const misses = distinctMisses(keys, local.found)
    const missed = misses.positions.length
    let hits = 0
    if (missed > 0) {
      const rows = await this.#fetch(misses.keys, version)
      hits = placeRows(rows, misses, local)
      this.#promote(misses.keys, rows, version)
    }
    this.#stats.keys += keys.length
    this.#stats.localHits += keys.length - missed
    this.#stats.remoteHits += hits
    this.#stats.missing += missed - hits
    return local
  }

  async #fetch(keys: BigUint64Array, version: number | undefined): Promise<readonly RemoteRow[]> {
    try {
      return await this.#flights.fetch(keys, version)
    } catch (error) {
      const gone = error instanceof StoreError && error.code === 'ERR_NOT_FOUND'
      const stale = gone && this.tier.version !== version
      const corrupt = error instanceof StoreError && error.code === 'ERR_CORRUPTION'
      if (!this.#missingOnError || stale || corrupt) throw error
      this.#failures++
      return new Array<RemoteRow>(keys.length).fill(undefined)
    }
  }

  /** Brings the rows of keys that were missed often enough into the local table; nobody waits. */
  #promote(keys: BigUint64Array, rows: readonly RemoteRow[], version: number | undefined): void {
    if (this.#promoteAfter === 0 || version !== this.#version) return
    const words = wordsOf(keys)
    const hot: number[] = []
    for (let i = 0; i < keys.length; i++) {
      if (rows[i] === undefined) continue
      const [low, high] = [words[2 * i] as number, words[2 * i + 1] as number]
      if (this.#sightings.reaches(this.#promoteAfter, low, high)) hot.push(i)
    }
    if (hot.length === 0) return
    if (hot.length > this.#promoted.most) hot.splice(0, hot.length - this.#promoted.most)
    const hotKeys = BigUint64Array.from(hot, (i) => keys[i] as bigint)
    const bytes = new Uint8Array(hot.length * this.dim * 4)
    for (const [at, i] of hot.entries()) bytes.set(rows[i] as Uint8Array, at * this.dim * 4)
    const gone = this.#promoted.add(hotKeys)
    const refused = (): void => {
      this.#refused += hot.length
    }
    if (gone.length > 0) this.#local.erase(gone).catch(() => {})
    this.#local.update(hotKeys, new Float32Array(bytes.buffer)).then(() => {
      this.#promotions += hot.length
    }, refused)
  }
}

/** The methods that a tier must have. */
const tierMethods = ['getMany', 'setMany', 'close'] as const

/** An object with the methods of a tier. */
export function checkTier(argument: string, value: unknown, also: readonly string[] = []): void {
  const fields = value as Record<string, unknown>
  const isObject = typeof value === 'object' && value !== null
  const methods = [...tierMethods, ...also]
  if (isObject && methods.every((name) => typeof fields[name] === 'function')) return
  throw typeError(argument, `a tier with ${methods.join(', ')}`, value)
}

const tieredFields = ['timeoutMs', 'onError', 'promoteAfter', 'promotedRows']

/**
 * Reads `local` with `tier` behind it, under the table's name. For serving: rows that this process
 * pushes or updates are the local table's alone, pushes to a key that has none begin with its
 * initial row, not with the tier's, and a key first pushed while its row comes from the tier may
 * have the tier's afterwards.
 *
 * Rows of the local table are taken as they are. Those that the view itself has promoted are erased
 * when the tier's version changes, so a lookup gives rows of one version (`lookupAllTiered`: the
 * same for several tables). One view a table. The tier is closed by whoever opened it.
 *
 * @param local - with a policy of eviction, so that there is room for what is promoted: where there
 * is none, promotion ends when the table is full. Of a store without `gpu.fillAbove`
 */
export function tieredTable(
  local: Table,
  tier: RemoteTier,
  options: TieredOptions = {},
): TieredTable {
  if (!(local instanceof Table)) throw typeError('local', 'a Table', local)
  checkTier('tier', tier)
  checkObject('options', options, tieredFields)
  const { timeoutMs = 1000, onError = 'reject', promoteAfter = 2, promotedRows = 2 ** 20 } = options
  checkChoice('onError', onError, ['reject', 'missing'])
  return new TieredTable(local, tier, {
    timeoutMs: checkInteger('timeoutMs', timeoutMs, 1, 3_600_000),
    onError,
    promoteAfter: checkInteger('promoteAfter', promoteAfter, 0, 255),
    promotedRows: checkInteger('promotedRows', promotedRows, 1, 2 ** 30),
  })
}

/**
 * Looks up several tables behind one tier, all at one version of it: of a model whose tables belong
 * together, never one of the old and one of the new.
 *
 * @returns one array [n * dim] a request, in the order of the requests
 */
export function lookupAllTiered(
  requests: readonly TieredRequest[],
  options: { signal?: AbortSignal } = {},
): Promise<Float32Array[]> {
  if (!Array.isArray(requests)) throw typeError('requests', 'an array', requests)
  checkObject('options', options, ['signal'])
  checkSignal('signal', options.signal)
  const wishes = Array.from({ length: requests.length }, (_, i): Wish => {
    const request: unknown = requests[i]
    if (!Array.isArray(request)) throw typeError(`requests[${i}]`, 'an array', request)
    const [view, keys, wished] = request as unknown as TieredRequest
    if (!(view instanceof TieredTable)) throw typeError(`requests[${i}]`, 'a TieredTable', view)
    return checkWish(view, keys, wished, [], `requests[${i}]`)
  })
  const other = wishes.findIndex(({ view }) => view.tier !== wishes[0]?.view.tier)
  if (other >= 0) throw rangeError(`requests[${other}]`, 'the tier of requests[0]', 'another one')
  return lookupTogether(wishes, options.signal)
}
