/**
 * Options as the addon reads them: every field there, of the right type, enums as numbers.
 * Wrong types and unknown fields are found here; wrong values by `validate()` in the core.
 */
import { types } from 'node:util'
import type {
  NativeDenseOptions,
  NativeGroup,
  NativeStoreOptions,
  NativeTableOptions,
} from './addon.ts'
import { rangeError, StoreError, typeError } from './errors.ts'
import type {
  DenseOptions,
  InitializerOptions,
  OptimizerOptions,
  PushOptions,
  StoreOptions,
  TableOptions,
} from './options.ts'

/** Defaults of OptimizerOptions in options.h, in the order of its enum. */
const optimizerKinds: readonly OptimizerOptions['kind'][] = [
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
const optimizerDefaults = {
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
const initializerKinds = ['zeros', 'constant', 'uniform', 'normal', 'truncatedNormal'] as const
const initializerDefaults = { value: 0, low: 0, high: 0, mean: 0, stddev: 0 }
const valueTypes = ['f32', 'f16', 'bf16', 'i8', 'i4'] as const

const storeFields = ['memoryBytes', 'threads']
const tableFields = [
  'dim',
  'valueType',
  'rounding',
  'optimizer',
  'initializer',
  'missing',
  'nonFinite',
  'seed',
  'groups',
]
const groupFields = ['firstSlot', 'lastSlot', 'rateScale', 'weightDecay', 'frozen']
const denseFields = ['shape', 'optimizer', 'initializer', 'nonFinite', 'seed']

type Fields = Record<string, unknown>

/** `value` as an object with no fields but `known`. */
function checkObject(argument: string, value: unknown, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw typeError(argument, 'an object', value)
  }
  for (const field of Object.keys(value)) {
    if (!known.includes(field)) throw rangeError(argument, `only ${known.join(', ')}`, field)
  }
  return value as Fields
}

/** A new result array of `rows` rows; ERR_CAPACITY when the runtime has no memory for it. */
export function newFloats(rows: number, dim: number): Float32Array {
  try {
    return new Float32Array(rows * dim)
  } catch {
    throw new StoreError(
      'ERR_CAPACITY',
      `no memory for a result of ${rows} rows of ${dim} values`,
      {
        scope: 'call',
        outcome: 'none',
        retryable: true,
      },
    )
  }
}

/** A number of rows to expect: the array's length, once it is known to be such an array. */
export function countOf(
  argument: string,
  array: BigUint64Array | Uint32Array,
  type: 'BigUint64Array' | 'Uint32Array',
): number {
  const fits =
    type === 'BigUint64Array' ? types.isBigUint64Array(array) : types.isUint32Array(array)
  if (!fits) throw typeError(argument, type, array)
  return array.length
}

/** Options of a call: absent, or an object with no fields but `known`. */
export function checkCallOptions(
  options: unknown,
  known: readonly string[],
  argument = 'options',
): void {
  if (options === undefined) return
  if (ArrayBuffer.isView(options)) {
    throw typeError(argument, `an object with ${known.join(', ')}`, options)
  }
  checkObject(argument, options, known)
}

/** The learning rate of a push, as f32 holds it; 0 when there is none. */
export function checkLearningRate(options: PushOptions | undefined, argument = ''): number {
  const value = options?.learningRate
  if (value === undefined) return 0
  if (typeof value !== 'number') throw typeError(`${argument}learningRate`, 'a number', value)
  const rate = Math.fround(value)
  if (!Number.isFinite(rate) || rate <= 0) {
    throw rangeError(`${argument}learningRate`, 'a finite number above 0', value)
  }
  return rate
}

/** An integer from `least` to `most`; the limits are written out in messages. */
export function checkInteger(
  argument: string,
  value: unknown,
  least: number,
  most: number,
): number {
  if (typeof value !== 'number') throw typeError(argument, 'a number', value)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw rangeError(argument, `an integer from ${least} to ${most}`, value)
  }
  return value
}

/** The position of `value` in `choices`. */
export function checkChoice(argument: string, value: unknown, choices: readonly string[]): number {
  if (typeof value !== 'string') {
    throw typeError(argument, `one of ${choices.map((c) => `'${c}'`).join(', ')}`, value)
  }
  const index = choices.indexOf(value)
  if (index < 0) {
    throw rangeError(argument, `one of ${choices.map((c) => `'${c}'`).join(', ')}`, value)
  }
  return index
}

/** A name of a table or dense parameter. */
export function checkName(value: unknown): string {
  if (typeof value !== 'string') throw typeError('name', 'a string', value)
  const utf8 = Buffer.from(value)
  if (utf8.length < 1 || utf8.length > 255) {
    throw rangeError('name', 'a string of 1 to 255 bytes in UTF-8', `${utf8.length} bytes`)
  }
  // Lone surrogates all become one replacement character: two names would be one.
  if (utf8.toString() !== value) throw rangeError('name', 'well-formed Unicode', value)
  return value
}

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

/** A kind and the numbers that go with it; absent numbers take their defaults. */
function completeKind<Numbers extends Record<string, number>>(
  argument: string,
  value: unknown,
  kinds: readonly string[],
  defaults: Numbers,
): Numbers & { kind: number } {
  const fields = checkObject(argument, value, ['kind', ...Object.keys(defaults)])
  const complete: Record<string, number> = {
    kind: checkChoice(`${argument}.kind`, fields.kind, kinds),
  }
  for (const [field, byDefault] of Object.entries(defaults)) {
    const given = fields[field] === undefined ? byDefault : fields[field]
    if (typeof given !== 'number') throw typeError(`${argument}.${field}`, 'a number', given)
    complete[field] = given
  }
  return complete as Numbers & { kind: number }
}

function completeOptimizer(value: unknown) {
  const complete = completeKind('optimizer', value, optimizerKinds, optimizerDefaults)
  checkInteger('optimizer.decaySteps', complete.decaySteps, 1, 2 ** 32 - 1)
  return complete
}

function completeGroup(argument: string, value: unknown): NativeGroup {
  const fields = checkObject(argument, value, groupFields)
  const { rateScale = 1, weightDecay = -1, frozen = false } = fields
  if (typeof rateScale !== 'number') throw typeError(`${argument}.rateScale`, 'a number', rateScale)
  if (typeof weightDecay !== 'number') {
    throw typeError(`${argument}.weightDecay`, 'a number', weightDecay)
  }
  if (typeof frozen !== 'boolean') throw typeError(`${argument}.frozen`, 'a boolean', frozen)
  return {
    firstSlot: checkInteger(`${argument}.firstSlot`, fields['firstSlot'], 0, 2 ** 20 - 1),
    lastSlot: checkInteger(`${argument}.lastSlot`, fields['lastSlot'], 0, 2 ** 20 - 1),
    rateScale,
    weightDecay,
    frozen,
  }
}

function completeGroups(value: unknown): NativeGroup[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw typeError('groups', 'an array', value)
  if (value.length > 64) throw rangeError('groups', 'at most 64 groups', value.length)
  return Array.from(value, (group, i) => completeGroup(`groups[${i}]`, group))
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
    initializer: completeKind('initializer', initializer, initializerKinds, initializerDefaults),
    nonFinite: checkChoice('nonFinite', nonFinite, ['reject', 'skip']),
    seed: checkSeed(seed),
  }
}

/** Checks and completes the options of `open`; 0 asks for the core's default. */
export function completeStoreOptions(options: StoreOptions): NativeStoreOptions {
  checkObject('options', options, storeFields)
  const { memoryBytes, threads } = options
  return {
    memoryBytes:
      memoryBytes === undefined
        ? 0
        : checkInteger('memoryBytes', memoryBytes, 2 ** 24, Number.MAX_SAFE_INTEGER),
    threads: threads === undefined ? 0 : checkInteger('threads', threads, 1, 256),
  }
}

/** Checks and completes the options of `store.table`. */
export function completeTableOptions(options: TableOptions): NativeTableOptions {
  checkObject('options', options, tableFields)
  const { dim, valueType = 'f32', rounding = 'nearest', missing = 'initial' } = options
  return {
    dim: checkInteger('dim', dim, 1, 8192),
    valueType: checkChoice('valueType', valueType, valueTypes),
    rounding: checkChoice('rounding', rounding, ['nearest', 'stochastic']),
    missing: checkChoice('missing', missing, ['initial', 'zeros']),
    groups: completeGroups(options.groups),
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
