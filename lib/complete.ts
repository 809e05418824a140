/**
 * Options as the addon reads them: every field there, of the right type, enums as numbers.
 * Wrong types and unknown fields are found here; wrong values by `validate()` in the core.
 */
import type { NativeDenseOptions, NativeStoreOptions, NativeTableOptions } from './addon.ts'
import { checkBoolean, checkChoice, checkInteger, checkNumber, checkObject } from './checks.ts'
import { completeAdmission, completeEviction } from './complete-eviction.ts'
import { completeGpu, completeGpuShare } from './complete-gpu.ts'
import { completeGroups, completeInitializer, completeOptimizer } from './complete-optimizer.ts'
import { rangeError, typeError } from './errors.ts'
import type {
  DenseOptions,
  InitializerOptions,
  OptimizerOptions,
  StoreOptions,
  TableOptions,
} from './options.ts'
import { checkVersion } from './versions.ts'

/** In the order of the enums of options.h. */
export const valueTypes = ['f32', 'f16', 'bf16', 'i8', 'i4'] as const
export const roundings = ['nearest', 'stochastic'] as const
export const missings = ['initial', 'zeros'] as const
export const nonFinites = ['reject', 'skip'] as const
const syncs = ['disk', 'os'] as const
const recoveries = ['never', 'newest-intact'] as const
const durabilities = ['commit', 'push', 'never'] as const

const storeFields = [
  'memoryBytes',
  'threads',
  'backgroundShare',
  'readOnly',
  'version',
  'keepVersions',
  'keepMs',
  'sync',
  'recover',
  'durable',
  'gpu',
]
const tableFields = [
  'dim',
  'valueType',
  'rounding',
  'optimizer',
  'initializer',
  'missing',
  'nonFinite',
  'admission',
  'eviction',
  'hotKeys',
  'seed',
  'groups',
  'gpu',
]
const denseFields = ['shape', 'optimizer', 'initializer', 'nonFinite', 'seed']

function checkSeed(value: unknown): bigint {
  if (value === undefined) return 0n
  if (typeof value !== 'bigint' && typeof value !== 'number') {
    throw typeError('seed', 'a bigint or an integer', value)
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw rangeError('seed', 'a bigint or a safe integer', value)
  }
  const seed = BigInt(value)
  if (seed < 1n || seed >= 1n << 64n) throw rangeError('seed', 'a u64 above 0', value)
  return seed
}

function completeCommon(fields: {
  optimizer?: OptimizerOptions
  initializer?: InitializerOptions
  nonFinite?: string
  seed?: bigint | number
}) {
  const {
    optimizer = { kind: 'sgd' },
    initializer = { kind: 'zeros' },
    nonFinite = 'reject',
    seed,
  } = fields
  return {
    optimizer: completeOptimizer(optimizer),
    initializer: completeInitializer(initializer),
    nonFinite: checkChoice('nonFinite', nonFinite, nonFinites),
    seed: checkSeed(seed),
  }
}

/** Checks and completes the options of `open`; 0 asks for the core's default. */
export function completeStoreOptions(options: StoreOptions): NativeStoreOptions {
  checkObject('options', options, storeFields)
  const { memoryBytes, threads, backgroundShare = 0.1, readOnly = false, version } = options
  const { keepVersions = 4, keepMs = 0, sync = 'disk', recover = 'never' } = options
  const { durable = 'commit' } = options
  return {
    memoryBytes:
      memoryBytes === undefined
        ? 0
        : checkInteger('memoryBytes', memoryBytes, 2 ** 24, Number.MAX_SAFE_INTEGER),
    threads: threads === undefined ? 0 : checkInteger('threads', threads, 1, 256),
    backgroundShare: checkNumber('backgroundShare', backgroundShare),
    readOnly: checkBoolean('readOnly', readOnly),
    version: version === undefined ? '' : checkVersion(version),
    keepVersions: checkInteger('keepVersions', keepVersions, 0, 2 ** 32 - 1),
    keepMs: checkInteger('keepMs', keepMs, 0, Number.MAX_SAFE_INTEGER),
    sync: checkChoice('sync', sync, syncs),
    recover: checkChoice('recover', recover, recoveries),
    durable: checkChoice('durable', durable, durabilities),
    gpu: completeGpu(options.gpu),
  }
}

/** Checks and completes the options of `store.table`. */
export function completeTableOptions(options: TableOptions): NativeTableOptions {
  checkObject('options', options, tableFields)
  const { dim, valueType = 'f32', rounding = 'nearest', missing = 'initial' } = options
  const { hotKeys = 0 } = options
  return {
    dim: checkInteger('dim', dim, 1, 8192),
    valueType: checkChoice('valueType', valueType, valueTypes),
    rounding: checkChoice('rounding', rounding, roundings),
    missing: checkChoice('missing', missing, missings),
    admission: completeAdmission(options.admission),
    eviction: completeEviction(options.eviction),
    hotKeys: checkInteger('hotKeys', hotKeys, 0, 4096),
    groups: completeGroups(options.groups),
    gpu: completeGpuShare(options.gpu),
    ...completeCommon(options),
  }
}

/** Checks and completes the options of `store.dense`. */
export function completeDenseOptions(options: DenseOptions): NativeDenseOptions {
  checkObject('options', options, denseFields)
  const { shape } = options
  if (!Array.isArray(shape)) throw typeError('shape', 'an array', shape)
  if (shape.length < 1 || shape.length > 8) {
    throw rangeError('shape', '1 to 8 dimensions', shape.length)
  }
  return {
    shape: Array.from(shape, (n, i) => checkInteger(`shape[${i}]`, n, 1, 2 ** 31)),
    ...completeCommon(options),
  }
}
