/**
 * Options as a caller would have written them, from those of the addon: what complete.ts does, the
 * other way round. Fields that have their default are left out, but for the seed.
 */
import type {
  NativeAdmission,
  NativeDenseOptions,
  NativeEviction,
  NativeGroup,
  NativeTableOptions,
} from './addon.ts'
import { missings, nonFinites, roundings, valueTypes } from './complete.ts'
import { admissionKinds, policies } from './complete-eviction.ts'
import {
  initializerDefaults,
  initializerKinds,
  optimizerDefaults,
  optimizerKinds,
} from './complete-optimizer.ts'
import type {
  AdmissionOptions,
  DenseOptions,
  EvictionOptions,
  InitializerOptions,
  OptimizerGroup,
  OptimizerOptions,
  TableOptions,
} from './options.ts'

/** The shortest decimal that is this f32. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === Math.fround(value)) return short
  }
  return value
}

function numbersOf(
  given: Record<string, number>,
  defaults: Record<string, number>,
): Record<string, number> {
  const entries = Object.entries(defaults).flatMap(([field, byDefault]) => {
    const value = given[field]!
    return Math.fround(value) === Math.fround(byDefault) ? [] : [[field, shortest(value)]]
  })
  return Object.fromEntries(entries)
}

function optimizerOf(given: Record<string, number>): OptimizerOptions {
  return { kind: optimizerKinds[given['kind']!]!, ...numbersOf(given, optimizerDefaults) }
}

function initializerOf(given: Record<string, number>): InitializerOptions {
  return { kind: initializerKinds[given['kind']!]!, ...numbersOf(given, initializerDefaults) }
}

function admissionOf(given: NativeAdmission): AdmissionOptions | undefined {
  const kind = admissionKinds[given.kind]!
  if (kind === 'all') return undefined
  return {
    kind,
    ...(given.minCount !== 1 && { minCount: given.minCount }),
    ...(given.probability !== 1 && { probability: shortest(given.probability) }),
    ...(given.capacity !== 0 && { capacity: given.capacity }),
  }
}

function evictionOf(given: NativeEviction): EvictionOptions | undefined {
  const { policy, demote, background, ...numbers } = given
  const limits = Object.entries(numbers).filter(([, value]) => value !== 0)
  if (policy === 0 && limits.length === 0 && !background) return undefined
  return {
    policy: policies[policy]!,
    ...Object.fromEntries(limits),
    ...(demote && { demote }),
    ...(background && { background }),
  }
}

function groupOf(given: NativeGroup): OptimizerGroup {
  const { firstSlot, lastSlot, rateScale, weightDecay, frozen } = given
  return {
    firstSlot,
    lastSlot,
    ...(rateScale !== 1 && { rateScale: shortest(rateScale) }),
    ...(weightDecay !== -1 && { weightDecay: shortest(weightDecay) }),
    ...(frozen && { frozen }),
  }
}

function commonOf(given: NativeTableOptions | NativeDenseOptions) {
  const nonFinite = nonFinites[given.nonFinite]!
  return {
    optimizer: optimizerOf(given.optimizer),
    initializer: initializerOf(given.initializer),
    ...(nonFinite !== 'reject' && { nonFinite }),
    seed: given.seed,
  }
}

export function tableOptionsOf(given: NativeTableOptions): TableOptions {
  const rounding = roundings[given.rounding]!
  const missing = missings[given.missing]!
  const admission = admissionOf(given.admission)
  const eviction = evictionOf(given.eviction)
  return {
    dim: given.dim,
    valueType: valueTypes[given.valueType]!,
    ...(rounding !== 'nearest' && { rounding }),
    ...commonOf(given),
    ...(missing !== 'initial' && { missing }),
    ...(admission && { admission }),
    ...(eviction && { eviction }),
    ...(given.hotKeys !== 0 && { hotKeys: given.hotKeys }),
    ...(given.groups.length > 0 && { groups: given.groups.map(groupOf) }),
  }
}

export function denseOptionsOf(given: NativeDenseOptions): DenseOptions {
  return { shape: given.shape, ...commonOf(given) }
}

/**
 * Copies, that nobody can change, of what the caller wrote by hand: it may change its own as soon
 * as the call has returned.
 */
export function frozenParts({ admission, eviction, groups }: TableOptions): Partial<TableOptions> {
  const frozen = <T extends object>(part: T): Readonly<T> => Object.freeze({ ...part })
  return {
    ...(admission && { admission: frozen(admission) }),
    ...(eviction && { eviction: frozen(eviction) }),
    ...(groups && { groups: Object.freeze(Array.from(groups, frozen)) }),
  }
}
