/**
 * Options of a store, a table, a dense parameter and a call. Every field mirrors one of
 * native/include/hotrow/, where the formulas stand; test/tidy compares the two.
 */

/**
 * A GPU that keeps rows in use in front of the tables: lookups and pushes of those are done there,
 * with the same results. For tables that evict nothing (`eviction`). Where there is no GPU that
 * works, the store goes on without it, and `store.stats()` says why.
 */
export interface GpuOptions {
  /** As CUDA numbers them. By default 0. */
  readonly device?: number
  /** Of device memory, for all tables together: bytes, or a string like `'8GiB'`; 1 MiB or more. */
  readonly bytes: number | string
  /**
   * The rows that stay when there is no room for another one: `'lru'` the most recently used;
   * `'lfu'` the most often used; `'ageingLfu'` (the default) the same, uses counting half after
   * each epoch, which is as many uses of keys as there is room for rows, times eight; `'epochLru'`
   * and `'epochLfu'` those of the latest epoch, among these the most recently or most often used;
   * `'custom'` by the uses that were counted before a row came.
   */
  readonly policy?: 'lru' | 'lfu' | 'ageingLfu' | 'epochLru' | 'epochLfu' | 'custom'
  /**
   * When a row that a lookup has missed on the device comes there: `'secondTouch'` (the default)
   * when it was missed before, of late, and at its first miss only where no other row has to go;
   * or `'always'`.
   */
  readonly promotion?: 'secondTouch' | 'always'
  /**
   * For inference, a number from 0 to 1: a lookup of which a larger share is on the GPU does not
   * wait for the rest. Those keys get what a key without a row gets (`missing`, or the table's
   * rule; their bits of `found` are cleared), and their rows come to the GPU in the background, for
   * lookups after that. So with 0.95 at most 5 % of the keys of any lookup get another row than the
   * one that was learned; a lookup at or below it is exact, and so is everything that changes rows
   * or reads them for export. Not under `tieredTable`, which asks its tier for what is not found.
   * By default 1: every lookup waits for its rows.
   */
  readonly fillAbove?: number
}

/** Options of `open`. */
export interface StoreOptions {
  /**
   * Ceiling for rows, index and dense parameters, in bytes, at least 16 MiB. By default half of
   * what the process may use. A push that would pass it rejects with ERR_CAPACITY and changes
   * nothing.
   */
  memoryBytes?: number
  /**
   * Threads that one large call may use. By default one per core but one, which is left to
   * JavaScript: with all of them at work on one batch, nobody prepares the next.
   */
  threads?: number
  /**
   * Of a core, above 0 and at most 1: what eviction by age (`ttlMs`) and ahead of need
   * (`background`) may take. By default 0.1.
   */
  backgroundShare?: number
  /**
   * The store as it was at a version, for reading; any number of processes may, beside the one that
   * writes. By default false.
   */
  readOnly?: boolean
  /** With `readOnly`, the version by number or name. By default the newest. */
  version?: number | string
  /**
   * Versions kept on disk beside the newest: the newest so many of them; those that are pinned,
   * named or in use are kept besides. By default 4.
   */
  keepVersions?: number
  /** Kept no longer than so many milliseconds. By default for ever. */
  keepMs?: number
  /**
   * What a commit waits for. `'disk'` (the default): until the disk says that it has the version,
   * which survives loss of power if the disk is honest. `'os'`: until the system has it. A version
   * then survives the death of the process, `kill -9` too, but not that of the machine: after loss
   * of power the last versions may be gone, or damaged, and `open` rejects with ERR_CORRUPTION.
   */
  sync?: 'disk' | 'os'
  /**
   * What `open` does when the newest version is damaged. `'never'` (the default): it rejects with
   * ERR_CORRUPTION, or calls that read the damage do. `'newest-intact'`: every checksum is read
   * first, which takes as long as reading the whole store; a newest version that is damaged is
   * given up for the newest that is whole, and `store.recovered` says so. Opened for writing, the
   * store goes on from there as after a rollback; what was damaged is moved to the folder
   * `damaged`, and no version gets its number again. What was committed since the version that is
   * opened is lost. Rejects with ERR_CORRUPTION when no version is whole.
   */
  recover?: 'never' | 'newest-intact'
  /**
   * When what a call has changed is on disk. `'commit'` (the default): with the next commit; what
   * was changed since the last one is lost with the process. `'push'`: when the promise of a push,
   * update, erase, evict or shrink resolves, a version that has it is on disk. Calls that wait at
   * the same time share one commit, which keeps the last commit's cursor; each takes as long as one
   * or two commits. Versions made so are kept and removed like others. When the commit fails the
   * call rejects with outcome `'unknown'`: it is applied, and the next commit has it. Not for
   * stores in memory: ERR_UNSUPPORTED. `'never'`: commits make versions and sync nothing, as with
   * `sync: 'os'`; after the death of the process or the machine nothing is promised but that what
   * opens is whole.
   */
  durable?: 'commit' | 'push' | 'never'
  /** A GPU in front of the tables. By default none. */
  gpu?: GpuOptions
}

/**
 * The rule that turns gradients into changes of a row; made by `sgd()`, `adagrad()` and so on in
 * optimizers.ts, where each field is explained with the rules that read it.
 */
export interface OptimizerOptions {
  readonly kind:
    | 'sgd'
    | 'adagrad'
    | 'rowwiseAdagrad'
    | 'adam'
    | 'ftrl'
    | 'sum'
    | 'momentum'
    | 'nesterov'
    | 'adagradDecay'
    | 'rmsprop'
    | 'adadelta'
    | 'adamw'
    | 'amsgrad'
    | 'adamax'
    | 'rowwiseAdam'
    | 'groupFtrl'
    | 'lamb'
    | 'lars'
    | 'lion'
  readonly learningRate?: number
  readonly initialAccumulator?: number
  readonly epsilon?: number
  readonly beta1?: number
  readonly beta2?: number
  readonly beta?: number
  readonly l1?: number
  readonly l2?: number
  readonly l21?: number
  readonly momentum?: number
  readonly rho?: number
  readonly decayRate?: number
  readonly decaySteps?: number
  readonly trust?: number
  readonly weightDecay?: number
  readonly clipValue?: number
  readonly clipNorm?: number
}

/**
 * How the optimizer treats some keys of a table: those with a slot (the upper 20 bits, which
 * `slotKey` sets) from `firstSlot` to `lastSlot`. Keys in no group are treated as the optimizer
 * says.
 */
export interface OptimizerGroup {
  /** 0 to 2^20 - 1. */
  readonly firstSlot: number
  /** Included. */
  readonly lastSlot: number
  /** Times the learning rate, the table's or the push's. By default 1. */
  readonly rateScale?: number
  /** By default the optimizer's. */
  readonly weightDecay?: number
  /**
   * Pushes change no row of the group: a key without a row gets its initial row, and that stays.
   * `update` and `erase` work. By default false.
   */
  readonly frozen?: boolean
}

/** Options of one push. */
export interface PushOptions {
  /**
   * In the place of the optimizer's, for this push: finite and above 0. Rules without a learning
   * rate (`sum`) ignore it.
   */
  learningRate?: number
}

/** How a row begins; made by `zeros()`, `uniform()` and so on. */
export interface InitializerOptions {
  readonly kind: 'zeros' | 'constant' | 'uniform' | 'normal' | 'truncatedNormal'
  readonly value?: number
  readonly low?: number
  readonly high?: number
  readonly mean?: number
  readonly stddev?: number
}

/**
 * Which keys get a row: all of them where this is left out. A key without one is looked up as
 * missing keys are and its gradients are dropped; `update` makes rows of all its keys.
 *
 * `{ minCount: 3 }` keeps rare keys out of the table. With `capacity`, as in
 * `{ minCount: 3, capacity: 1e8 }`, the counts lie in a filter of bounded memory instead of the
 * index; rarely a key comes in too soon then, never too late.
 */
export interface AdmissionOptions {
  /**
   * `'all'`; `'count'`: from a key's `minCount`th gradient on, counted exactly, but halved when a
   * table with `maxRows` or `maxBytes` has more keys without a row than it may have rows;
   * `'bloom'`: the same, counted in a filter; `'probability'`: at each of its pushes with
   * `probability`. By default what the other fields speak of.
   */
  readonly kind?: 'all' | 'count' | 'bloom' | 'probability'
  /** Gradients of a key, duplicates counted, that make a row: up to 1,000,000; of `'bloom'` 255. */
  readonly minCount?: number
  /** Above 0 and below 1. */
  readonly probability?: number
  /** Different keys that `'bloom'` is to expect between two calls of `decay`: up to 10^12. */
  readonly capacity?: number
}

/**
 * Which rows go when there are too many: none where this is left out, and a push that would pass a
 * limit rejects with ERR_CAPACITY.
 *
 * Rows are evicted before a push or an update that would pass a limit, some more than it needs, the
 * call's own keys spared; by `evict` and `shrink`; and ahead of need where `background` says so.
 * Victims are the coldest of samples of sixteen keys or so. The limits, and the store's
 * `memoryBytes`, hold at every moment. An evicted key begins anew at its next push.
 */
export interface EvictionOptions {
  /**
   * The row that goes first: `'lru'` the least recently used; `'lfu'` the least often used;
   * `'ageingLfu'` the same, uses counting half after each `halfLife`; `'ttl'` none but those unused
   * for `ttlMs`; `'oldestStep'` the one whose last push is the longest ago, in pushes;
   * `'smallestNorm'` the one whose values have the smallest L2 norm; `'lowestScore'` by
   * `setScores`; `'random'` any. `'none'`: no row goes. Lookups are uses as pushes are.
   */
  readonly policy:
    | 'none'
    | 'lru'
    | 'lfu'
    | 'ageingLfu'
    | 'ttl'
    | 'oldestStep'
    | 'smallestNorm'
    | 'lowestScore'
    | 'random'
  /** By default no limit but the store's. */
  readonly maxRows?: number
  /** Rows and index, at least 8 MiB. By default no limit but the store's. */
  readonly maxBytes?: number
  /** Evict what was unused for so long; needed with `'ttl'`, also of use with `'lru'`, `'lfu'`. */
  readonly ttlMs?: number
  /** Of `'ageingLfu'`, in uses of keys of the whole table. By default eight per row. */
  readonly halfLife?: number
  /**
   * Rows that memory has no room for go to the store's disk instead of going for good, and are read
   * from there: the table has all of its rows, memory the hottest of them. With `'lru'`, `'lfu'`,
   * `'ageingLfu'` and `'random'`, without `ttlMs` and `log`, in a store on disk. A lookup reads
   * what it misses in one batch, and keeps in memory what it misses again; a push brings its rows.
   * Rows changed since the last commit that leave memory are kept in a file without a name: no
   * version has them before the next commit, and a crash loses them as it loses those in memory.
   * By default false.
   */
  readonly demote?: boolean
  /**
   * Keep some rows of `maxRows` or `maxBytes` free, so that no push waits for evictions. By default
   * false.
   */
  readonly background?: boolean
  /** Evicted keys that are kept for `takeEvicted`, the latest so many, up to 2^24. By default 0. */
  readonly log?: number
}

/** Options of one lookup. */
export interface LookupOptions {
  /**
   * A Uint8Array of ceil(n / 8) bytes to fill, apart from `out`: bit i, counted from the lowest of
   * the first byte, is set when key i had a row. Bits past n are cleared.
   */
  found?: Uint8Array
  /** What a key without a row gives, every value of it, in the place of the table's rule. */
  missing?: number
  /**
   * Rows may be half of one update and half of the next: reads do not wait for writers. For
   * trainers that live with it. A row erased meanwhile may give another key's. By default false.
   */
  relaxed?: boolean
  /**
   * Of a store opened for reading: rejects with ERR_STALE when the version it is at was committed
   * longer ago. A store opened for writing is never stale; with `followers` of `connect` its rows
   * may come from one of these, no older.
   */
  maxAgeMs?: number
}

/** What `update` assigns beside values: what an export has given. */
export interface UpdateOptions {
  /** [n * stateValues] of the optimizer, finite. By default the state of a row stays. */
  state?: Float32Array
  /** Pushes that the state has seen, Adam's t: from now on no fewer count as applied. */
  steps?: number
}

/** Which rows `shrink` evicts: those of which anything given holds. */
export interface ShrinkOptions {
  /** Unused for so long; of tables with `eviction.ttlMs`, which keep the time of each use. */
  unseenMs?: number
  /** Used less often; of the policies `'lfu'` and `'ageingLfu'`, which count uses. */
  belowUses?: number
  /** The L2 norm of the values is smaller. */
  belowNorm?: number
}

/** Options of `store.table`. */
export interface TableOptions {
  /** Values per row, 1 to 8,192. */
  dim: number
  /**
   * How values are kept; calls give and take f32 whatever this is. `'f32'` (the default): as they
   * are. `'f16'` and `'bf16'`: in 2 bytes, with 11 significant bits up to 65,504, or 8 over the
   * range of f32. `'i8'` and `'i4'`, for serving: in 1 byte or half a byte, as one of 256 or 16
   * steps from the least to the greatest value of the row, and 8 bytes a row for these two. What
   * is out of a type's range becomes the end of the range.
   */
  valueType?: 'f32' | 'f16' | 'bf16' | 'i8' | 'i4'
  /**
   * How values become 16-bit ones: to the nearest (the default), or up or down by chance so that
   * the mean is right, for `'f16'` and `'bf16'`: then changes too small to see still add up.
   */
  rounding?: 'nearest' | 'stochastic'
  /** By default `sgd()`. */
  optimizer?: OptimizerOptions
  /** By default `zeros()`. */
  initializer?: InitializerOptions
  /** What a lookup answers for a key without a row: its initial row (the default), or zeros. */
  missing?: 'initial' | 'zeros'
  /**
   * NaN or infinity in a pushed or assigned row: reject the whole call (the default), or leave
   * that row out and count it in `skippedGradients`.
   */
  nonFinite?: 'reject' | 'skip'
  /** Which keys get a row. By default all. */
  admission?: AdmissionOptions
  /** Which rows go when there are too many. By default none. */
  eviction?: EvictionOptions
  /**
   * Keys that `table.hotKeys()` is to name well, up to 4,096: a sketch of 640 bytes for each, over
   * one in 64 of the keys looked up and pushed. By default 0: not counted.
   */
  hotKeys?: number
  /** Seed of the initial rows, a u64 above 0. By default made from the table's name. */
  seed?: bigint | number
  /** At most 64, in any order, no slot in two of them. By default none. */
  groups?: readonly OptimizerGroup[]
  /**
   * Of the `gpu.bytes` of the store, above 0 and at most 1: what the table's rows on the device may
   * take, as far as it is left; `false`: none. By default half of what is left. Of whoever opens
   * the table first in this process; no version knows of it.
   */
  gpu?: false | number
}

/** Options of `store.dense`. */
export interface DenseOptions {
  /** One to eight dimensions, row-major; at most 2^31 values in all. */
  shape: readonly number[]
  /** By default `sgd()`. */
  optimizer?: OptimizerOptions
  /** By default `zeros()`. */
  initializer?: InitializerOptions
  /** As for tables, for the whole gradient. */
  nonFinite?: 'reject' | 'skip'
  /** Seed of the initial values, a u64 above 0. By default made from the parameter's name. */
  seed?: bigint | number
}
