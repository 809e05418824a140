/** Optimizers, initializers and groups as the addon reads them: see complete.ts. */
import type { NativeGroup } from './addon.ts'
import { checkBoolean, checkChoice, checkInteger, checkNumber, checkObject } from './checks.ts'
import { rangeError, typeError } from './errors.ts'
import type { OptimizerOptions } from './options.ts'

/** Defaults of OptimizerOptions in options.h, in the order of its enum. */
export const optimizerKinds: readonly OptimizerOptions['kind'][] = [
  'sgd',
  'adagrad',
  'rowwiseAdagrad',
  'adam',
  'ftrl',
  'sum',
  'momentum',
  'nesterov',
  'adagradDecay',
  'rmsprop',
  'adadelta',
  'adamw',
  'amsgrad',
  'adamax',
  'rowwiseAdam',
  'groupFtrl',
  'lamb',
  'lars',
  'lion',
]
export const optimizerDefaults = {
  learningRate: 0.01,
  initialAccumulator: 0.1,
  epsilon: 1e-10,
  beta1: 0.9,
  beta2: 0.999,
  beta: 1,
  l1: 0,
  l2: 0,
  l21: 0,
  momentum: 0.9,
  rho: 0.9,
  decayRate: 0.9,
  decaySteps: 100_000,
  trust: 0.001,
  weightDecay: 0,
  clipValue: 0,
  clipNorm: 0,
}
export const initializerKinds = [
  'zeros',
  'constant',
  'uniform',
  'normal',
  'truncatedNormal',
] as const
export const initializerDefaults = { value: 0, low: 0, high: 0, mean: 0, stddev: 0 }
const groupFields = ['firstSlot', 'lastSlot', 'rateScale', 'weightDecay', 'frozen']

/** A kind and the numbers that go with it; absent numbers take their defaults. */
function completeKind<Numbers extends Record<string, number>>(
  argument: string,
  value: unknown,
  kinds: readonly string[],
  defaults: Numbers,
): Numbers & { kind: number } {
  const fields = checkObject(argument, value, ['kind', ...Object.keys(defaults)])
  const complete: Record<string, number> = {
    kind: checkChoice(`${argument}.kind`, fields['kind'], kinds),
  }
  for (const [field, byDefault] of Object.entries(defaults)) {
    const given = fields[field]
    complete[field] = given === undefined ? byDefault : checkNumber(`${argument}.${field}`, given)
  }
  return complete as Numbers & { kind: number }
}

export function completeOptimizer(value: unknown): Record<string, number> {
  const complete = completeKind('optimizer', value, optimizerKinds, optimizerDefaults)
  checkInteger('optimizer.decaySteps', complete.decaySteps, 1, 2 ** 32 - 1)
  return complete
}

export function completeInitializer(value: unknown): Record<string, number> {
  return completeKind('initializer', value, initializerKinds, initializerDefaults)
}

function completeGroup(argument: string, value: unknown): NativeGroup {
  const fields = checkObject(argument, value, groupFields)
  const { rateScale = 1, weightDecay = -1, frozen = false } = fields
  return {
    firstSlot: checkInteger(`${argument}.firstSlot`, fields['firstSlot'], 0, 2 ** 20 - 1),
    lastSlot: checkInteger(`${argument}.lastSlot`, fields['lastSlot'], 0, 2 ** 20 - 1),
    rateScale: checkNumber(`${argument}.rateScale`, rateScale),
    weightDecay: checkNumber(`${argument}.weightDecay`, weightDecay),
    frozen: checkBoolean(`${argument}.frozen`, frozen),
  }
}

export function completeGroups(value: unknown): NativeGroup[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw typeError('groups', 'an array', value)
  if (value.length > 64) throw rangeError('groups', 'at most 64 groups', value.length)
  return Array.from(value, (group, i) => completeGroup(`groups[${i}]`, group))
}
