/**
 * The addon's shape, written by hand beside bindings/*.cc. Arguments that the addon does not check
 * itself are marked; lib/ checks them before.
 */
import type {
  NativeMoverClass,
  NativePlacement,
  NativeServer,
  NativeServerOptions,
} from './addon-server.ts'
import type { StoreError } from './errors.ts'
import type {
  HotKey,
  ParameterInfo,
  Recovery,
  StoreStats,
  TableDiff,
  TableStats,
} from './figures.ts'
import type { NativeWorker, NativeWorkerOptions } from './native-worker.ts'

export interface NativeGpu {
  device: number
  /** 0: no GPU. */
  bytes: number
  /** Positions in the lists of complete-gpu.ts. */
  policy: number
  promotion: number
  /** 1: every lookup waits for its rows. */
  fillAbove: number
}

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
  /** Positions in the lists of complete.ts. */
  sync: number
  recover: number
  durable: number
  gpu: NativeGpu
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
  demote: boolean
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
  /** 0: none; -1: half of what is left. */
  gpu: number
}

export interface NativeDenseOptions {
  shape: number[]
  optimizer: Record<string, number>
  initializer: Record<string, number>
  nonFinite: number
  seed: bigint
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
  /** Options as for `lookup`. */
  lookupOnDevice(
    keys: BigUint64Array,
    found: Found,
    missing: Missing,
    relaxed: Relaxed,
    maxAge: MaxAge,
  ): Promise<NativeDeviceRows>
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
  prefetch(keys: BigUint64Array): Promise<number>
  releasePrefetched(): Promise<void>
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

export interface NativeDeviceRows {
  rows(): number
  /** `fresh` as for NativeTable.lookup. */
  copyTo(out: Floats, fresh: boolean): Promise<Float32Array>
  /** Safe while a copy is under way. */
  release(): void
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
  /** Throws for a text that is no slot map; an older one is passed over. */
  setPlacement(text: string): void
  /** Resolves when the calls made before have ended. */
  settled(): Promise<void>
  /**
   * Does not wait for other calls, nor they for it. `name` may be empty; the cursor undefined: as
   * it was.
   */
  commit(cursor: string | undefined, name: string): Promise<NativeVersion>
  version(): Promise<NativeVersion>
  versions(): Promise<NativeVersion[]>
  /** By number or name. */
  rollback(version: string): Promise<NativeVersion>
  /** 0: nobody has the name any more. */
  nameVersion(name: string, version: number): Promise<void>
  pinVersion(version: number, pinned: boolean): Promise<void>
  apply(folder: string): Promise<NativeVersion>
  /** As `commit`, it waits for nobody. */
  snapshot(version: string, folder: string): Promise<void>
  /** `from` is 0 when nothing was given up. */
  recovered(): Promise<Recovery>
  refresh(): Promise<NativeVersion>
  diff(from: string, to: string): Promise<TableDiff[]>
  verify(): Promise<void>
  compact(): Promise<void>
  stats(): Promise<StoreStats>
  /** Options must be complete. */
  worker(options: NativeWorkerOptions): Promise<NativeWorker>
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

/** Names of files; all fields of `ServerTls` or `ClientTls`, empty where they were not given. */
export type NativeTls = Record<string, string>

export interface NativeConnectOptions {
  servers: string[]
  /** The text of a slot map, or ''. */
  placement: string
  timeoutMs: number
  spinUs: number
  tls: NativeTls
  transport: number
  /** Each a server and the servers that follow it. */
  followers: string[][]
  /** '' for none. */
  trace: string
}

export interface Addon {
  NativeStore: {
    new (path: string, options: NativeStoreOptions): NativeStore
    /** Of servers. */
    new (path: '', options: undefined, connect: NativeConnectOptions): NativeStore
  }
  /** The store must be open. */
  NativeServer: new (
    store: NativeStore,
    options: NativeServerOptions,
  ) => NativeServer
  NativeMover: NativeMoverClass
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
  /** The text of a slot map by weighted rendezvous hashing; one weight a server. */
  makePlacement(epoch: number, servers: string[], weights: number[]): string
  /** As makePlacement, with the position of each slot's server, 16,384 of them. */
  writePlacement(epoch: number, servers: string[], slots: Uint16Array): string
  /** Throws a StoreError that says what is wrong with the text. */
  readPlacement(text: string): NativePlacement
  hashBytes(bytes: Uint8Array): bigint
}
