// Uses that must compile, and the types that calls must have. Never run.

import {
  type AdmissionOptions,
  adadelta,
  adagrad,
  adagradDecay,
  adam,
  adamax,
  adamw,
  amsgrad,
  type ConcatOptions,
  type ConcatPlace,
  type ConcatRequest,
  constant,
  type Dense,
  type DenseOptions,
  type EvictedPage,
  type EvictionOptions,
  type EvictionReason,
  ftrl,
  type GradientOptions,
  groupFtrl,
  hashKey,
  type InitializerOptions,
  type KeyLike,
  keysOf,
  type LookupOptions,
  type LookupRequest,
  lamb,
  lars,
  lion,
  momentum,
  nesterov,
  normal,
  type OptimizerGroup,
  type OptimizerOptions,
  open,
  type ParameterInfo,
  type PoolingOptions,
  type PushOptions,
  type PushRequest,
  rmsprop,
  rowwiseAdagrad,
  rowwiseAdam,
  type ScanOptions,
  type ScanPage,
  type ShrinkOptions,
  type Store,
  StoreError,
  type StoreErrorCode,
  type StoreErrorOutcome,
  type StoreErrorScope,
  type StoreOptions,
  type StoreStats,
  setSlotKey,
  sgd,
  slotKey,
  slotKeys,
  sum,
  type Table,
  type TableOptions,
  type TableStats,
  truncatedNormal,
  uniform,
  zeros,
} from 'hotrow'

/** Compiles when the value has exactly the type. */
function is<Expected>() {
  return <Given>(_value: Given & (Exactly<Given, Expected> extends true ? unknown : never)) => {}
}
type Exactly<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

declare const keys: BigUint64Array
declare const floats: Float32Array
declare const offsets: Uint32Array
declare const bits: Uint8Array

export async function stores(): Promise<void> {
  const options: StoreOptions = { memoryBytes: 2 ** 30, threads: 2, backgroundShare: 0.5 }
  await using store = await open('./model', options)
  is<Store>()(store)
  is<string>()(store.path)
  is<boolean>()(store.closed)
  is<Promise<ParameterInfo[]>>()(store.tables())
  is<Promise<StoreStats>>()(store.stats())
  is<Promise<void>>()(store.drop('t'))
  is<Promise<void>>()(store.close())
  is<Promise<Store>>()(open(':memory:'))
}

export async function tables(store: Store): Promise<void> {
  const options: TableOptions = {
    dim: 64,
    valueType: 'bf16',
    rounding: 'stochastic',
    optimizer: adagrad({ learningRate: 0.05 }),
    initializer: uniform(0.01),
    missing: 'zeros',
    nonFinite: 'skip',
    seed: 7n,
    groups: [
      { firstSlot: 0, lastSlot: 3, rateScale: 0.1, weightDecay: 0 },
      { firstSlot: 9, lastSlot: 9, frozen: true },
    ],
  }
  const table = await store.table('user', options)
  is<Table>()(table)
  is<number>()(table.dim)
  is<Promise<Float32Array>>()(table.lookup(keys))
  is<Promise<Float32Array>>()(table.lookup(keys, { out: floats }))
  is<Float32Array>()(table.lookupSync(keys, floats))
  const pooling: PoolingOptions = { mode: 'mean', weights: floats }
  is<Promise<Float32Array>>()(table.lookupPooled(keys, offsets, { ...pooling, out: floats }))
  is<readonly OptimizerGroup[] | undefined>()(table.options.groups)
  is<Promise<void>>()(table.push(keys, floats))
  const push: PushOptions = { learningRate: 0.1 }
  is<Promise<void>>()(table.push(keys, floats, push))
  is<Promise<void>>()(table.pushPooled(keys, offsets, floats, { ...pooling, ...push }))
  is<Promise<void>>()(table.pushPooled(keys, offsets, floats, pooling))
  is<Promise<void>>()(table.update(keys, floats))
  is<Promise<number>>()(table.erase(keys))
  is<Promise<TableStats>>()(table.stats())
  const lookups: LookupRequest[] = [
    [table, keys],
    [table, keys, floats],
  ]
  is<Promise<Float32Array[]>>()(store.lookupAll(lookups))
  const pushes: PushRequest[] = [
    [table, keys, floats],
    [table, keys, floats, push],
  ]
  is<Promise<void>>()(store.pushAll(pushes))
}

export const admissions: AdmissionOptions[] = [
  {},
  { minCount: 3 },
  { kind: 'count', minCount: 3 },
  { minCount: 3, capacity: 1e8 },
  { probability: 0.1 },
]

export const evictions: EvictionOptions[] = [
  { policy: 'none' },
  { policy: 'lru', maxRows: 1e6, maxBytes: 2 ** 30, ttlMs: 1000, background: true, log: 100 },
  { policy: 'ageingLfu', halfLife: 1e6 },
  { policy: 'ttl', ttlMs: 1000 },
]

export async function upkeep(store: Store): Promise<void> {
  const options: TableOptions = { dim: 1, admission: admissions[0]!, eviction: evictions[0]! }
  const table = await store.table('t', options)
  is<AdmissionOptions | undefined>()(table.options.admission)
  is<EvictionOptions | undefined>()(table.options.eviction)
  is<number>()(table.stateValues)
  is<Promise<Float32Array>>()(table.lookupState(keys, { out: floats, found: bits }))
  is<Promise<void>>()(table.reserve(1e6))
  is<Promise<number>>()(table.evict(1000))
  const shrink: ShrinkOptions = { unseenMs: 1, belowUses: 2, belowNorm: 0.5 }
  is<Promise<number>>()(table.shrink(shrink))
  is<Promise<void>>()(table.decay(0.5))
  is<Promise<number>>()(table.setScores(keys, floats))
  is<Promise<EvictedPage>>()(table.takeEvicted(100))
  for await (const page of table.evicted()) {
    is<BigUint64Array>()(page.keys)
    is<EvictionReason[]>()(page.reasons)
  }
  const scan: ScanOptions = { rows: 100, signal: AbortSignal.timeout(1000) }
  for await (const page of table.scan(scan)) is<ScanPage>()(page)
  is<number>()((await table.stats()).evictedCapacity)
}

export async function lookups(store: Store, table: Table): Promise<void> {
  const options: LookupOptions = { found: bits, missing: 0, relaxed: true }
  is<Promise<Float32Array>>()(table.lookup(keys, { ...options, out: floats }))
  is<Float32Array>()(table.lookupSync(keys, undefined, options))
  const place: ConcatPlace = { offset: 4, repeat: 8, ...options }
  const requests: ConcatRequest[] = [
    [table, keys],
    [table, keys, place],
  ]
  const whole: ConcatOptions = { stride: 64 }
  is<Promise<Float32Array>>()(store.lookupConcat(requests, whole))
  is<Float32Array>()(store.lookupConcatSync(requests, { ...whole, out: floats }))
}

export async function denseParameters(store: Store): Promise<void> {
  const options: DenseOptions = { shape: [256, 64] as const, optimizer: adam(), seed: 3 }
  const dense = await store.dense('w', options)
  is<Dense>()(dense)
  is<readonly number[]>()(dense.shape)
  is<Promise<Float32Array>>()(dense.pull({ out: floats }))
  is<Promise<void>>()(dense.push(floats))
  is<Promise<void>>()(dense.push(floats, { learningRate: 0.1 }))
  is<Promise<void>>()(dense.update(floats))
}

const gradients: GradientOptions = { weightDecay: 1e-4, clipNorm: 1 }

export const optimizers: OptimizerOptions[] = [
  sgd(),
  sgd({ learningRate: 1 }),
  adagrad({ epsilon: 1 }),
  rowwiseAdagrad({ initialAccumulator: 1 }),
  adam({ beta1: 0.5, beta2: 0.5 }),
  ftrl({ beta: 1, l1: 1, l2: 1 }),
  sum(),
  momentum({ momentum: 0.5, ...gradients }),
  nesterov({ momentum: 0.5, clipValue: 1 }),
  adagradDecay({ decayRate: 0.5, decaySteps: 10 }),
  rmsprop({ rho: 0.5 }),
  adadelta({ rho: 0.5 }),
  adamw({ weightDecay: 0.5 }),
  amsgrad({ beta1: 0.5 }),
  adamax({ beta2: 0.5 }),
  rowwiseAdam({ epsilon: 1 }),
  groupFtrl({ l1: 1, l21: 1 }),
  lamb({ weightDecay: 0.5 }),
  lars({ momentum: 0.5, trust: 1 }),
  lion({ beta1: 0.5, beta2: 0.5 }),
]

export const initializers: InitializerOptions[] = [
  zeros(),
  constant(1),
  uniform(1),
  uniform(0, 1),
  normal(1),
  normal(1, 2),
  truncatedNormal(1, 2),
]

export function keyHelpers(value: KeyLike): void {
  is<bigint>()(hashKey(value))
  is<bigint>()(hashKey(new Uint8Array(1)))
  is<BigUint64Array>()(keysOf(['a', 1, 2n] as const))
  is<bigint>()(slotKey(1, value))
  is<BigUint64Array>()(slotKeys(1, ['a']))
  is<void>()(setSlotKey(new Uint32Array(2), 0, 1, 2))
}

export function errors(error: unknown): void {
  if (!(error instanceof StoreError)) return
  is<StoreErrorCode>()(error.code)
  is<StoreErrorScope>()(error.scope)
  is<StoreErrorOutcome>()(error.outcome)
  is<boolean>()(error.retryable)
  if (error.code === 'ERR_CAPACITY') throw error
}
