/**
 * The addon's shape, written by hand beside bindings/*.cc. Arguments that the addon does not check
 * itself are marked; lib/ checks them before.
 */
import type { StoreError } from './errors.ts'

export interface NativeStoreOptions {
  memoryBytes: number
  threads: number
}

export interface NativeGroup {
  firstSlot: number
  lastSlot: number
  rateScale: number
  /** -1: the optimizer's. */
  weightDecay: number
  frozen: boolean
}

export interface NativeTableOptions {
  dim: number
  valueType: number
  rounding: number
  optimizer: Record<string, number>
  initializer: Record<string, number>
  missing: number
  nonFinite: number
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

/** Figures of a store. */
export interface StoreStats {
  /** The ceiling, in bytes. */
  memoryBytes: number
  /** Memory held by rows, index and dense parameters. */
  memoryUsedBytes: number
  tables: number
  dense: number
  /** Rows of all tables. */
  rows: number
  /** Threads that one large call may use. */
  threads: number
}

/** Figures of a table, counted since it was made. */
export interface TableStats {
  rows: number
  /** Bytes of one row with its optimizer state and padding. */
  rowBytes: number
  /** Memory held for rows, free ones included. */
  rowMemoryBytes: number
  /** Memory held for the index. */
  indexMemoryBytes: number
  /** Bucket lines of 64 bytes, five keys each. */
  buckets: number
  shards: number
  /** Keys looked up, and how many of them had a row. */
  lookups: number
  hits: number
  /** Gradients pushed, duplicates counted. */
  pushes: number
  /** Rows assigned. */
  updates: number
  /** Rows made by pushes and updates. */
  created: number
  erased: number
  /** Rows left out because of NaN or infinity (`nonFinite: 'skip'`). */
  skippedGradients: number
  /** Times a shard was rebuilt larger. */
  grownShards: number
}

type Floats = Float32Array

export interface NativeTable {
  /** `fresh`: nobody else has `out`, so it may be filled before the promise resolves. */
  lookup(keys: BigUint64Array, out: Floats, fresh: boolean): Promise<Float32Array>
  lookupSync(keys: BigUint64Array, out: Floats): Float32Array
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
  update(keys: BigUint64Array, rows: Floats): Promise<void>
  erase(keys: BigUint64Array): Promise<number>
  stats(): Promise<TableStats>
}

export interface NativeDense {
  /** `fresh` as for NativeTable.lookup. */
  pull(out: Floats, fresh: boolean): Promise<Float32Array>
  /** `learningRate` as for NativeTable.push. */
  push(gradient: Floats, learningRate: number): Promise<void>
  update(values: Floats): Promise<void>
}

/** Table, keys, `out`, and whether `out` is fresh. */
export type NativeLookup = readonly [NativeTable, BigUint64Array, Floats, boolean]
/** Table, keys, gradients, and the learning rate as for NativeTable.push. */
export type NativePush = readonly [NativeTable, BigUint64Array, Floats, number]

export interface NativeStore {
  /** Must be called first; resolves with the store's canonical path. */
  open(): Promise<string>
  /** Options must be complete. */
  table(name: string, options: NativeTableOptions): Promise<NativeTable>
  /** Options must be complete. */
  dense(name: string, options: NativeDenseOptions): Promise<NativeDense>
  list(): Promise<ParameterInfo[]>
  drop(name: string): Promise<void>
  stats(): Promise<StoreStats>
  lookupAll(requests: NativeLookup[]): Promise<Float32Array[]>
  pushAll(requests: NativePush[]): Promise<void>
  close(): Promise<void>
}

export interface Addon {
  NativeStore: new (path: string, options: NativeStoreOptions) => NativeStore
  /** Must be called once per JavaScript environment, before anything else. */
  initialize(storeError: typeof StoreError): void
  /** Arrays of one length, all elements strings. */
  hashStrings(strings: string[], out: BigUint64Array): BigUint64Array
  hashBytes(bytes: Uint8Array): bigint
}
