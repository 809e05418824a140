/**
 * The addon's shape, written by hand beside bindings/*.cc. Arguments that the addon does not check
 * itself are marked; lib/ checks them before.
 */
import type { StoreError } from './errors.ts'

export interface NativeStoreOptions {
  memoryBytes: number
  threads: number
  backgroundShare: number
  readOnly: boolean
  /** A number or name; empty: the newest. */
  version: string
  keepVersions: number
  /** 0: for ever. */
  keepMs: number
}

export interface NativeGroup {
  firstSlot: number
  lastSlot: number
  rateScale: number
  /** -1: the optimizer's. */
  weightDecay: number
  frozen: boolean
}

export interface NativeAdmission {
  kind: number
  minCount: number
  probability: number
  /** 0: none. */
  capacity: number
}

/** 0: no limit, none. */
export interface NativeEviction {
  policy: number
  maxRows: number
  maxBytes: number
  ttlMs: number
  halfLife: number
  background: boolean
  log: number
}

export interface NativeTableOptions {
  dim: number
  valueType: number
  rounding: number
  optimizer: Record<string, number>
  initializer: Record<string, number>
  missing: number
  nonFinite: number
  admission: NativeAdmission
  eviction: NativeEviction
  /** 0: not counted. */
  hotKeys: number
  seed: bigint
  groups: NativeGroup[]
}

export interface NativeDenseOptions {
  shape: number[]
  optimizer: Record<string, number>
  initializer: Record<string, number>
  nonFinite: number
  seed: bigint
}

/** What a store holds under one name. */
export interface ParameterInfo {
  name: string
  kind: 'table' | 'dense'
  /** `[dim]` of a table, the shape of a dense parameter. */
  shape: number[]
  /** Rows of a table; 0 for a dense parameter. */
  rows: number
}

/**
 * Times of one operation, of all its calls since the store was opened; calls of fewer than 64 keys
 * are sampled. All are 0 when there was none.
 */
export interface LatencySummary {
  /** Calls, where sampled estimated. */
  count: number
  meanNs: number
  /** Percentiles within 3.125 %. */
  p50Ns: number
  p90Ns: number
  p99Ns: number
  p999Ns: number
  maxNs: number
}

/** A version as the addon knows it: the cursor is JSON, or what a program in C++ wrote. */
export interface NativeVersion {
  readonly version: number
  readonly parent: number
  readonly timeMs: number
  readonly cursor: string
  readonly bytes: number
  readonly rows: number
  readonly rolledBackTo: number
  readonly kept: boolean
  readonly pinned: boolean
  readonly names: readonly string[]
}

/** How many rows of a table differ between two versions. */
export interface TableDiff {
  name: string
  added: number
  removed: number
  changed: number
}

/** Figures of a store. */
export interface StoreStats {
  /** The ceiling, in bytes. */
  memoryBytes: number
  /** Memory held, the sum of the five that follow. */
  memoryUsedBytes: number
  /** Rows of tables, free ones included. */
  rowMemoryBytes: number
  indexMemoryBytes: number
  /** Filters of `admission.kind: 'bloom'`. */
  filterMemoryBytes: number
  /** Counts of `hotKeys`. */
  hotKeysMemoryBytes: number
  /** Dense parameters with their optimizer state. */
  denseMemoryBytes: number
  tables: number
  dense: number
  /** Rows of all tables. */
  rows: number
  /** Threads that one large call may use. */
  threads: number
  /**
   * Times in the core, without the way from and to JavaScript, over all tables. A call over several
   * tables is one lookup a table, and one push.
   */
  latency: Record<'lookup' | 'lookupPooled' | 'push' | 'update' | 'erase', LatencySummary>
}

/**
 * A key and how often it was used, estimated from one key in 64: of these, it came at least
 * `count - error` and at most `count` times.
 */
export interface HotKey {
  key: bigint
  count: number
  error: number
}

/** Figures of a table; what is counted, is counted since it was made. */
export interface TableStats {
  rows: number
  /** Of these, rows that are still on disk only: they come when asked for, and all in time. */
  coldRows: number
  /** Keys that were pushed and have no row yet (`admission.kind: 'count'`). */
  candidates: number
  /** Bytes of one row with its optimizer state and padding. */
  rowBytes: number
  /** Memory held for rows, free ones included. */
  rowMemoryBytes: number
  /** Memory held for the index. */
  indexMemoryBytes: number
  /** Memory held for the filter of `admission.kind: 'bloom'`. */
  filterMemoryBytes: number
  /** Memory held for the counts of `hotKeys`. */
  hotKeysMemoryBytes: number
  /** Bucket lines of 64 bytes. */
  buckets: number
  /** Keys a bucket holds: 5, or 4 where the eviction policy keeps something of each. */
  bucketKeys: number
  shards: number
  /** Keys per place of the buckets. */
  load: number
  /** Buckets on the way to a key, the mean and the most, in a sample of the shards. */
  meanProbe: number
  longestProbe: number
  /** Keys looked up, and how many of them had a row. */
  lookups: number
  hits: number
  /** Gradients pushed, duplicates counted. */
  pushes: number
  /** Rows assigned. */
  updates: number
  /** Pushes applied since the table began, Adam's t. */
  steps: number
  /** Rows made by pushes and updates. */
  created: number
  erased: number
  /** Rows left out because of NaN or infinity (`nonFinite: 'skip'`). */
  skippedGradients: number
  /** Keys of pushes that made no row because of `admission`. */
  notAdmitted: number
  /** Rows evicted because a push needed room. */
  evictedCapacity: number
  /** Rows evicted because they were unused for `ttlMs`. */
  evictedExpired: number
  /** Rows evicted by `evict`. */
  evictedDemand: number
  /** Rows evicted by `shrink`. */
  evictedShrink: number
  /** Times a shard was rebuilt larger. */
  grownShards: number
}

type Floats = Float32Array
type Found = Uint8Array | undefined
type Missing = number | undefined
type Relaxed = boolean | undefined
type MaxAge = number | undefined

/** All must be numbers from 0 on, `unseenMs` an integer; 0: not asked. */
export interface NativeShrink {
  unseenMs: number
  belowUses: number
  belowNorm: number
}

export interface NativeEvicted {
  keys: BigUint64Array
  /** Positions in `evictionReasons`, one a key. */
  reasons: Uint8Array
}

export interface NativeScanPage {
  keys: BigUint64Array
  rows: Float32Array
  /** Empty when it was not asked for. */
  state: Float32Array
  /** Where the next page begins; undefined: this was the last. */
  next: bigint | undefined
}

export interface NativeTable {
  /**
   * `fresh`: nobody else has `out`, so it may be filled before the promise resolves. `missing` must
   * be a finite number, `relaxed` a boolean, `maxAge` an integer from 0 on, or any undefined.
   */
  lookup(
    keys: BigUint64Array,
    out: Floats,
    fresh: boolean,
    found: Found,
    missing: Missing,
    relaxed: Relaxed,
    maxAge: MaxAge,
  ): Promise<Float32Array>
  lookupSync(keys: BigUint64Array, out: Floats): Float32Array
  /** Options as for `lookup`. */
  lookupSyncWith(
    keys: BigUint64Array,
    out: Floats,
    found: Found,
    missing: Missing,
    relaxed: Relaxed,
    maxAge: MaxAge,
  ): Float32Array
  /** `fresh` as for `lookup`. */
  lookupState(
    keys: BigUint64Array,
    out: Floats,
    fresh: boolean,
    found: Found,
  ): Promise<Float32Array>
  /** Values of optimizer state a row. */
  stateValues(): number
  options(): NativeTableOptions
  /** `pooling` must be 0, 1 or 2; `fresh` as for `lookup`. */
  lookupPooled(
    keys: BigUint64Array,
    offsets: Uint32Array,
    out: Floats,
    pooling: number,
    weights: Floats | undefined,
    fresh: boolean,
  ): Promise<Float32Array>
  /** `learningRate` must be a number; 0: the optimizer's. */
  push(keys: BigUint64Array, gradients: Floats, learningRate: number): Promise<void>
  /** `pooling` must be 0, 1 or 2; `learningRate` as for `push`. */
  pushPooled(
    keys: BigUint64Array,
    offsets: Uint32Array,
    gradients: Floats,
    pooling: number,
    weights: Floats | undefined,
    learningRate: number,
  ): Promise<void>
  /** `steps` must be an integer from 0 on. */
  update(
    keys: BigUint64Array,
    rows: Floats,
    state: Floats | undefined,
    steps: number,
  ): Promise<void>
  erase(keys: BigUint64Array): Promise<number>
  /** `rows` must be an integer from 0 on. */
  reserve(rows: number): Promise<void>
  /** `rows` must be an integer from 0 on. */
  evict(rows: number): Promise<number>
  shrink(options: NativeShrink): Promise<number>
  /** `factor` must be a number. */
  decay(factor: number): Promise<void>
  setScores(keys: BigUint64Array, scores: Floats): Promise<number>
  /** `most` must be an integer from 0 on. */
  takeEvicted(most: number): Promise<NativeEvicted>
  /** `from` must be 0 or the `next` of a page, `rows` an integer from 0 on. */
  scan(from: bigint, rows: number, state: boolean): Promise<NativeScanPage>
  /** `most` must be an integer from 0 on. */
  hotKeys(most: number): Promise<HotKey[]>
  stats(): Promise<TableStats>
}

export interface NativeDense {
  /** `fresh` as for NativeTable.lookup. */
  pull(out: Floats, fresh: boolean): Promise<Float32Array>
  /** `learningRate` as for NativeTable.push. */
  push(gradient: Floats, learningRate: number): Promise<void>
  /** `steps` as for NativeTable. */
  update(values: Floats, state: Floats | undefined, steps: number): Promise<void>
  /** Fills both, which nobody else may have; resolves with the pushes that they have seen. */
  pullState(values: Floats, state: Floats): Promise<number>
  /** Values of optimizer state, of all rows. */
  stateValues(): number
  options(): NativeDenseOptions
}

/** Table, keys, `out`, and whether `out` is fresh. */
export type NativeLookup = readonly [NativeTable, BigUint64Array, Floats, boolean]
/**
 * Table, keys, first column, copies of each row, and the options of a lookup. Column and copies
 * must be integers, the latter from 1 on.
 */
export type NativeConcat = readonly [
  NativeTable,
  BigUint64Array,
  number,
  number,
  Found,
  Missing,
  Relaxed,
  MaxAge,
]
/** Table, keys, gradients, and the learning rate as for NativeTable.push. */
export type NativePush = readonly [NativeTable, BigUint64Array, Floats, number]

export interface NativeStore {
  /** Must be called first; resolves with the store's canonical path. */
  open(): Promise<string>
  /** Options must be complete. */
  table(name: string, options: NativeTableOptions): Promise<NativeTable>
  /** Options must be complete. */
  dense(name: string, options: NativeDenseOptions): Promise<NativeDense>
  existingTable(name: string): Promise<NativeTable>
  existingDense(name: string): Promise<NativeDense>
  list(): Promise<ParameterInfo[]>
  drop(name: string): Promise<void>
  /** Resolves when the calls made before have ended. */
  settled(): Promise<void>
  /** Does not wait for other calls, nor they for it. `name` may be empty. */
  commit(cursor: string, name: string): Promise<NativeVersion>
  version(): Promise<NativeVersion>
  versions(): Promise<NativeVersion[]>
  /** By number or name. */
  rollback(version: string): Promise<NativeVersion>
  /** 0: nobody has the name any more. */
  nameVersion(name: string, version: number): Promise<void>
  pinVersion(version: number, pinned: boolean): Promise<void>
  apply(folder: string): Promise<NativeVersion>
  /** As `commit`, it waits for nobody. */
  refresh(): Promise<NativeVersion>
  diff(from: string, to: string): Promise<TableDiff[]>
  verify(): Promise<void>
  compact(): Promise<void>
  stats(): Promise<StoreStats>
  lookupAll(requests: NativeLookup[]): Promise<Float32Array[]>
  pushAll(requests: NativePush[]): Promise<void>
  /**
   * Fills `out` of `size` values, rows of `stride` values, where it lies: nobody else may have it.
   * `size` and `stride` must be integers from 0 on.
   */
  lookupConcat(
    requests: NativeConcat[],
    out: Floats,
    size: number,
    stride: number,
  ): Promise<Float32Array>
  /** As lookupConcat, into an `out` that is anybody's. */
  lookupConcatSync(
    requests: NativeConcat[],
    out: Floats,
    size: number,
    stride: number,
  ): Float32Array
  close(): Promise<void>
}

export interface Addon {
  NativeStore: new (path: string, options: NativeStoreOptions) => NativeStore
  /**
   * Must be called once per JavaScript environment, before anything else. The functions make arrays
   * for results whose size only the core knows.
   */
  initialize(
    storeError: typeof StoreError,
    arrays: {
      newKeys: (count: number) => BigUint64Array
      newFloats: (rows: number, dim: number) => Float32Array
      newBytes: (count: number) => Uint8Array
    },
  ): void
  /** Arrays of one length, all elements strings. */
  hashStrings(strings: string[], out: BigUint64Array): BigUint64Array
  hashBytes(bytes: Uint8Array): bigint
}
