/**
 * What our exports say of themselves beside the arrays: each parameter's kind, options and pushes,
 * as one JSON object. Whatever a file says is checked before it is believed.
 */
import type { DenseOptions, TableOptions } from '../options.ts'
import { malformed } from './files.ts'
import {
  expectFloats,
  expectKeys,
  expectRows,
  readAll,
  sizeOf,
  type Tensor,
  tensorPages,
} from './tensor.ts'
import type { ParameterInfo, SourceDense, SourceTable } from './types.ts'

/** One parameter of a file, and what its arrays are called there. */
export interface Described {
  name: string
  kind: 'table' | 'dense'
  steps: number
  options: Record<string, unknown>
  /** Of keys, rows, values and state. */
  arrays: Record<string, string>
}

const version = 1

/** JSON has no 64-bit integers: seeds are decimal strings. */
export function toText(parameters: readonly Described[]): string {
  return JSON.stringify({ version, parameters }, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

export function describeParameter(info: ParameterInfo, arrays: Record<string, string>): Described {
  const { name, kind, steps, options } = info
  return { name, kind, steps, options: { ...options }, arrays }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describedOf(where: string, value: unknown): Described {
  if (!isRecord(value)) throw malformed(where, 'expected an object for each parameter')
  const { name, kind, steps, options, arrays } = value
  if (typeof name !== 'string') throw malformed(where, 'expected a name for each parameter')
  if (kind !== 'table' && kind !== 'dense') {
    throw malformed(where, `expected the kind 'table' or 'dense' for '${name}'`)
  }
  if (!Number.isSafeInteger(steps) || (steps as number) < 0) {
    throw malformed(where, `expected an integer from 0 on for the steps of '${name}'`)
  }
  if (!isRecord(options) || !isRecord(arrays)) {
    throw malformed(where, `expected options and arrays of '${name}'`)
  }
  for (const array of Object.values(arrays)) {
    if (typeof array !== 'string') throw malformed(where, `expected names for '${name}'`)
  }
  return {
    name,
    kind,
    steps: steps as number,
    options: withSeed(where, options),
    arrays: arrays as Record<string, string>,
  }
}

function withSeed(where: string, options: Record<string, unknown>): Record<string, unknown> {
  const { seed, ...others } = options
  if (seed === undefined) return others
  if (typeof seed !== 'string' || !/^\d{1,20}$/.test(seed)) {
    throw malformed(where, 'expected decimal digits for a seed')
  }
  return { ...others, seed: BigInt(seed) }
}

/** What toText wrote. */
export function fromText(where: string, text: string): Described[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed(where, 'expected JSON')
  }
  if (!isRecord(value) || !Array.isArray(value['parameters'])) {
    throw malformed(where, 'expected an object with version and parameters')
  }
  if (value['version'] !== version) {
    throw malformed(where, `expected version ${version}, it has ${String(value['version'])}`)
  }
  return value['parameters'].map((each: unknown) => describedOf(where, each))
}

/** A table of a file made of arrays. */
export function tableOf(
  described: Partial<Described>,
  keys: Tensor,
  rows: Tensor,
  state: Tensor | undefined,
): SourceTable {
  const count = expectKeys(keys)
  const dim = expectRows(rows, count)
  const stateValues = state === undefined ? 0 : expectRows(state, count)
  if (dim === 0) throw malformed(rows.where, 'expected rows of at least one value')
  return {
    kind: 'table',
    name: described.name,
    dim,
    rows: count,
    stateValues,
    steps: described.steps ?? 0,
    options: described.options as TableOptions | undefined,
    where: rows.where,
    pages: (pageRows, withState) => tensorPages({ keys, rows, state }, pageRows, withState),
  }
}

/** A dense parameter of a file made of arrays. */
export function denseOf(
  described: Partial<Described> & { name: string },
  values: Tensor,
  state: Tensor | undefined,
): SourceDense {
  expectFloats(values)
  if (state !== undefined) expectFloats(state)
  const { name, steps = 0, options } = described
  return {
    kind: 'dense',
    name,
    // A number is an array of one.
    shape: values.shape.length === 0 ? [1] : values.shape,
    stateValues: state === undefined ? 0 : sizeOf(state.shape)!,
    steps,
    options: options as DenseOptions | undefined,
    where: values.where,
    read: async () => ({
      values: await readAll(values),
      state: state === undefined ? undefined : await readAll(state),
    }),
  }
}

/** The parameters that a description names, from the arrays of its file. */
export function parametersOf(
  where: string,
  all: readonly Described[],
  find: (array: string) => Tensor | undefined,
): (SourceTable | SourceDense)[] {
  return all.map((described) => {
    const array = (role: string): Tensor => {
      const name = described.arrays[role]
      const tensor = name === undefined ? undefined : find(name)
      if (tensor !== undefined) return tensor
      throw malformed(where, `expected the ${role} of '${described.name}', there are none`)
    }
    const state = described.arrays['state'] === undefined ? undefined : array('state')
    if (described.kind === 'dense') return denseOf(described, array('values'), state)
    return tableOf(described, array('keys'), array('rows'), state)
  })
}
