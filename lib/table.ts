/** A sparse table: rows of f32 values under 64-bit keys. */
import type { NativeTable } from './addon.ts'
import {
  checkBoolean,
  checkCallOptions,
  checkInteger,
  checkLearningRate,
  checkLookupOptions,
  checkNotNegative,
  checkObject,
  checkShare,
  checkSignal,
  checkUpdateOptions,
  countOf,
  newFloats,
} from './checks.ts'
import { DeviceRows } from './device-rows.ts'
import { closedError, rejecting, type StoreError, typeError } from './errors.ts'
import type { HotKey, TableStats } from './figures.ts'
import type {
  LookupOptions,
  PushOptions,
  ShrinkOptions,
  TableOptions,
  UpdateOptions,
} from './options.ts'
import {
  type EvictedPage,
  evictedPages,
  evictionReasons,
  type ScanOptions,
  type ScanPage,
  scanPages,
} from './pages.ts'
import { modeOf, type PoolingOptions } from './pooling.ts'

/** Whether the store a handle belongs to has been closed. */
export interface Owner {
  readonly closed: boolean
  /** Resolves when a call that changes rows should. */
  settled<T>(applied: Promise<T>): Promise<T>
}

/** Most rows of a scan's page, and most evicted keys taken at once. */
const maxPage = 2 ** 20

const natives = new WeakMap<Table, NativeTable>()

/** The native side of a table, for the calls over several tables in store.ts. */
export function nativeOf(argument: string, table: Table): NativeTable {
  const native = natives.get(table)
  if (native === undefined) throw typeError(argument, 'a Table', table)
  return native
}

/**
 * A table of a store; made by `store.table`.
 *
 * Arrays passed in are copied before a call returns and may be refilled at once. Calls on one
 * store take effect in the order they were made, whether awaited or not; only `lookupSync` runs
 * at once. Wrong arguments throw a TypeError or RangeError that names the argument; calls that
 * fail at work reject with a StoreError.
 */
export class Table {
  readonly name: string
  /** Values per row. */
  readonly dim: number
  /** The options it was opened with. */
  readonly options: Readonly<TableOptions>
  readonly #native: NativeTable
  readonly #owner: Owner

  /** @internal */
  constructor(name: string, options: TableOptions, native: NativeTable, owner: Owner) {
    this.name = name
    this.dim = options.dim
    this.options = Object.freeze({ ...options })
    this.#native = native
    this.#owner = owner
    natives.set(this, native)
  }

  #closed(): StoreError {
    return closedError(`the store of table '${this.name}'`)
  }

  #call<T>(work: (native: NativeTable) => Promise<T>): Promise<T> {
    return this.#owner.closed ? Promise.reject(this.#closed()) : rejecting(() => work(this.#native))
  }

  /** As #call, of calls that change rows. */
  #change<T>(work: (native: NativeTable) => Promise<T>): Promise<T> {
    return this.#owner.settled(this.#call(work))
  }

  /**
   * Copies the row of each key. A key without a row gives its initial row and writes nothing.
   *
   * @param keys - [n], duplicates welcome
   * @param options - `out`: a Float32Array [n * dim] to fill instead of a new one
   * @returns [n * dim], one row a key in the order of the keys
   */
  lookup(
    keys: BigUint64Array,
    options?: LookupOptions & { out?: Float32Array },
  ): Promise<Float32Array> {
    const { found, missing, relaxed, maxAge } = checkLookupOptions(options, ['out'])
    return this.#call((native) => {
      const given = options?.out
      const count = countOf('keys', keys, 'BigUint64Array')
      const out = given === undefined ? newFloats(count, this.dim) : given
      return native.lookup(keys, out, given === undefined, found, missing, relaxed, maxAge)
    })
  }

  /**
   * As `lookup`, on the calling thread, about twice as fast for a few hundred keys. It does not
   * wait for calls still under way: await a push that it must see.
   *
   * @param out - [n * dim], filled and returned; a new array when left out
   */
  lookupSync(keys: BigUint64Array, out?: Float32Array, options?: LookupOptions): Float32Array {
    if (this.#owner.closed) throw this.#closed()
    const rows =
      out === undefined ? newFloats(countOf('keys', keys, 'BigUint64Array'), this.dim) : out
    if (options === undefined) return this.#native.lookupSync(keys, rows)
    const { found, missing, relaxed, maxAge } = checkLookupOptions(options)
    return this.#native.lookupSyncWith(keys, rows, found, missing, relaxed, maxAge)
  }

  /** Values of optimizer state a row, as `lookupState` gives them: 0 for `sgd` and `sum`. */
  get stateValues(): number {
    return this.#native.stateValues()
  }

  /**
   * As `lookup`, of the optimizer's state of each row, in the order in which the rule names it. A
   * key without a row gives the state of a row that was never pushed.
   *
   * @param keys - [n]
   * @param options - `out`: a Float32Array [n * stateValues]; `found` as for `lookup`
   * @returns [n * stateValues]
   */
  lookupState(
    keys: BigUint64Array,
    options?: Pick<LookupOptions, 'found'> & { out?: Float32Array },
  ): Promise<Float32Array> {
    checkCallOptions(options, ['out', 'found'])
    return this.#call((native) => {
      const given = options?.out
      const count = countOf('keys', keys, 'BigUint64Array')
      const out = given === undefined ? newFloats(count, this.stateValues) : given
      return native.lookupState(keys, out, given === undefined, options?.found)
    })
  }

  /**
   * Pools rows by bags: bag b takes keys[offsets[b]] up to, not including, keys[offsets[b + 1]].
   * Values are added in the order of the keys.
   *
   * @param keys - [n]
   * @param offsets - [bags + 1], rising from 0 to n
   * @returns [bags * dim]
   */
  lookupPooled(
    keys: BigUint64Array,
    offsets: Uint32Array,
    options?: PoolingOptions & { out?: Float32Array },
  ): Promise<Float32Array> {
    const mode = modeOf(options, ['mode', 'weights', 'out'])
    return this.#call((native) => {
      const out = options?.out
      const bags = Math.max(countOf('offsets', offsets, 'Uint32Array') - 1, 0)
      const target = out === undefined ? newFloats(bags, this.dim) : out
      const weights = options?.weights
      return native.lookupPooled(keys, offsets, target, mode, weights, out === undefined)
    })
  }

  /**
   * As `lookup`, with the rows left on the GPU, for programs that go on there and for copies later.
   * Rejects with ERR_UNSUPPORTED for a table without rows on a GPU.
   *
   * @param keys - [n]
   * @param options - as for `lookup`; `found` stays here, in the host's memory
   * @returns to be released: its memory is not part of `gpu.bytes`
   */
  lookupOnDevice(keys: BigUint64Array, options?: LookupOptions): Promise<DeviceRows> {
    const { found, missing, relaxed, maxAge } = checkLookupOptions(options)
    return this.#call((native) =>
      native
        .lookupOnDevice(keys, found, missing, relaxed, maxAge)
        .then((rows) => new DeviceRows(this.dim, rows)),
    )
  }

  /**
   * Sums the gradients of equal keys in batch order, then runs the table's optimizer once a key;
   * a key without a row gets its initial row first. All of it or nothing: ERR_CAPACITY at the
   * memory ceiling, ERR_INVALID_ARGUMENT for NaN or infinity (unless `nonFinite: 'skip'`).
   * Resolves when every later lookup in the process sees it.
   *
   * @param keys - [n]
   * @param gradients - [n * dim]
   * @param options - `learningRate` for this push alone
   */
  push(keys: BigUint64Array, gradients: Float32Array, options?: PushOptions): Promise<void> {
    checkCallOptions(options, ['learningRate'])
    const learningRate = checkLearningRate(options)
    return this.#change((native) => native.push(keys, gradients, learningRate))
  }

  /**
   * The gradient of `lookupPooled`: the gradient of each bag is pushed to the bag's keys, times
   * the key's weight over the bag's divisor. Otherwise as `push`.
   *
   * @param gradients - [bags * dim]
   */
  pushPooled(
    keys: BigUint64Array,
    offsets: Uint32Array,
    gradients: Float32Array,
    options?: PoolingOptions & PushOptions,
  ): Promise<void> {
    const mode = modeOf(options, ['mode', 'weights', 'learningRate'])
    const learningRate = checkLearningRate(options)
    return this.#change((native) =>
      native.pushPooled(keys, offsets, gradients, mode, options?.weights, learningRate),
    )
  }

  /**
   * Assigns rows; of equal keys the last wins. A row that a lookup gave is kept exactly, whatever
   * the value type. The optimizer's state of a row stays, unless `options` has it. All or nothing,
   * as `push`.
   *
   * @param keys - [n]
   * @param rows - [n * dim]
   */
  update(keys: BigUint64Array, rows: Float32Array, options?: UpdateOptions): Promise<void> {
    const { state, steps } = checkUpdateOptions(options)
    return this.#change((native) => native.update(keys, rows, state, steps))
  }

  /**
   * Removes rows with their optimizer state.
   *
   * @param keys - [n]
   * @returns how many of the keys had a row
   */
  erase(keys: BigUint64Array): Promise<number> {
    return this.#change((native) => native.erase(keys))
  }

  /**
   * Brings the rows of keys that will be in use next to the GPU, and holds them there until a push
   * of their keys or `releasePrefetched`, so that the step that needs them waits for no miss: begin
   * it before the step that comes first. Results never depend on it. At most half of the rows that
   * the GPU has room for are held; where more would be, those held before are let go first. Keys
   * without a row have none to bring.
   *
   * @param keys - [n], duplicates are one
   * @returns how many rows are held of these keys; 0 for a table without rows on a GPU
   */
  prefetch(keys: BigUint64Array): Promise<number> {
    return this.#call((native) => native.prefetch(keys))
  }

  /** Lets go of all rows that `prefetch` holds; they stay on the GPU as long as others do. */
  releasePrefetched(): Promise<void> {
    return this.#call((native) => native.releasePrefetched())
  }

  /**
   * Makes room for `rows` rows in all: until there are more, no push waits for memory or for a
   * shard that grows. Rejects with ERR_CAPACITY when they would not fit.
   */
  reserve(rows: number): Promise<void> {
    const count = checkInteger('rows', rows, 0, Number.MAX_SAFE_INTEGER)
    return this.#call((native) => native.reserve(count))
  }

  /**
   * Evicts `rows` rows by the table's policy, the coldest of those it samples. Rejects with
   * ERR_INVALID_ARGUMENT when there is no policy.
   *
   * @returns how many went
   */
  evict(rows: number): Promise<number> {
    const count = checkInteger('rows', rows, 0, Number.MAX_SAFE_INTEGER)
    return this.#change((native) => native.evict(count))
  }

  /**
   * Evicts every row of which anything in `options` holds. Reads the whole index. Rejects with
   * ERR_INVALID_ARGUMENT when the table's policy does not know what is asked.
   *
   * @returns how many went
   */
  shrink(options: ShrinkOptions): Promise<number> {
    const fields = checkObject('options', options, ['unseenMs', 'belowUses', 'belowNorm'])
    const { unseenMs = 0, belowUses = 0, belowNorm = 0 } = fields
    const complete = {
      unseenMs: checkInteger('unseenMs', unseenMs, 0, Number.MAX_SAFE_INTEGER),
      belowUses: checkNotNegative('belowUses', belowUses),
      belowNorm: checkNotNegative('belowNorm', belowNorm),
    }
    return this.#change((native) => native.shrink(complete))
  }

  /**
   * Multiplies what the table has counted by `factor`, 0 to 1: the uses of rows (policies `'lfu'`
   * and `'ageingLfu'`) and of keys without a row (admission `'count'`, and `'bloom'`, which can
   * only halve: as often as comes nearest). Call it once a day, say. Reads the whole index.
   */
  decay(factor: number): Promise<void> {
    const share = checkShare('factor', factor)
    return this.#call((native) => native.decay(share))
  }

  /**
   * Sets the scores by which the policy `'lowestScore'` chooses; a new row's is 0. Rejects with
   * ERR_INVALID_ARGUMENT for NaN or infinity, and for tables with another policy.
   *
   * @param keys - [n]; those without a row are passed over
   * @param scores - [n]
   * @returns how many of the keys had a row
   */
  setScores(keys: BigUint64Array, scores: Float32Array): Promise<number> {
    return this.#call((native) => native.setScores(keys, scores))
  }

  /**
   * Takes evicted keys out of the table's log (`eviction.log`), the oldest first: for whoever keeps
   * something else under the same keys.
   *
   * @param most - 1 to 1,048,576; by default 65,536
   */
  takeEvicted(most = 65_536): Promise<EvictedPage> {
    const count = checkInteger('most', most, 1, maxPage)
    return this.#takeEvicted(count)
  }

  #takeEvicted(count: number): Promise<EvictedPage> {
    return this.#call((native) =>
      native.takeEvicted(count).then(({ keys, reasons }) => ({
        keys,
        reasons: Array.from(reasons, (reason) => evictionReasons[reason]!),
      })),
    )
  }

  /** `takeEvicted` until the log is empty: `for await (const { keys } of table.evicted()) …`. */
  evicted(most = 65_536): AsyncGenerator<EvictedPage, void, undefined> {
    const count = checkInteger('most', most, 1, maxPage)
    return evictedPages(() => this.#takeEvicted(count))
  }

  /**
   * All rows, page by page: `for await (const { keys, rows } of table.scan()) …`. A row that stays
   * from the first page to the last is given exactly once, however the table grows meanwhile; one
   * that comes or goes, once or not at all. Each row is read whole.
   */
  scan(options?: ScanOptions): AsyncGenerator<ScanPage, void, undefined> {
    checkCallOptions(options, ['rows', 'state', 'signal'])
    const { rows = 1000, signal, state = false } = options ?? {}
    checkBoolean('state', state)
    const count = checkInteger('rows', rows, 1, maxPage)
    checkSignal('signal', signal)
    const fetch = (from: bigint) => this.#call((native) => native.scan(from, count, state))
    return scanPages(fetch, signal, state)
  }

  /**
   * The keys that were looked up and pushed most, the highest count first; of tables with the
   * option `hotKeys`. Fewer than `most` when fewer were seen.
   *
   * @param most - 0 to 65,536; by default 16
   */
  hotKeys(most = 16): Promise<HotKey[]> {
    const count = checkInteger('most', most, 0, 65_536)
    return this.#call((native) => native.hotKeys(count))
  }

  /** Size, memory and counts. */
  stats(): Promise<TableStats> {
    return this.#call((native) => native.stats())
  }
}
