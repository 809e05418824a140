/**
 * safetensors: one file of tensors behind a JSON header. Tables are `NAME.keys` (u64), `NAME.rows`
 * and `NAME.state`; dense parameters `NAME` and `NAME.state`.
 *
 * The header comes first and needs the number of rows, which is known last: room for it, with the
 * longest numbers, is left at the start, and spaces fill what is not used. Rows go straight to the
 * file; keys and state, smaller, to files of their own that are appended. Keys come last of all and
 * on a multiple of 8 bytes, which some readers need; four bytes of padding, a tensor of their own
 * because the format has no gaps, see to that.
 */
import type { ScanPage } from '../pages.ts'
import {
  denseOf,
  describeParameter,
  fromText,
  parametersOf,
  tableOf,
  toText,
} from './description.ts'
import {
  conflict,
  expectFilePlace,
  InputFile,
  malformed,
  type OutputFile,
  Workplace,
} from './files.ts'
import { sizeOf, type Tensor, type TensorType, typeBytes } from './tensor.ts'
import type {
  DenseInfo,
  Exporter,
  ImportNames,
  ParameterInfo,
  Source,
  SourceDense,
  SourceTable,
  TableInfo,
} from './types.ts'

/** What the format's own reader allows. */
const maxHeaderBytes = 100_000_000
const prefixBytes = 8
const padding = 'hotrow.padding'

interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** What its arrays are called. */
function arraysOf(info: ParameterInfo): Record<string, string> {
  const { name } = info
  const state = info.stateValues > 0 && { state: `${name}.state` }
  if (info.kind === 'dense') return { values: name, ...state }
  return { keys: `${name}.keys`, rows: `${name}.rows`, ...state }
}

class SafetensorsExporter implements Exporter {
  readonly #all: ParameterInfo[] = []
  readonly #place: Workplace
  readonly #file: OutputFile
  readonly #headerBytes: number
  readonly #entries = new Map<string, Entry>()
  /** Of all tables, in their order. */
  readonly #keys: { info: TableInfo; file: OutputFile; rows: number }[] = []
  #state: OutputFile | undefined
  #start = 0

  constructor(place: Workplace, file: OutputFile, bytes: number) {
    this.#place = place
    this.#file = file
    this.#headerBytes = bytes
  }

  #note(name: string, dtype: string, shape: number[], start: number): void {
    const base = prefixBytes + this.#headerBytes
    this.#entries.set(name, {
      dtype,
      shape,
      data_offsets: [start - base, this.#file.size - base],
    })
  }

  async begin(info: TableInfo): Promise<void> {
    this.#all.push(info)
    const number = this.#keys.length
    this.#keys.push({ info, file: await this.#place.file(`keys-${number}`), rows: 0 })
    this.#state = info.stateValues > 0 ? await this.#place.file(`state-${number}`) : undefined
    this.#start = this.#file.size
  }

  async page({ keys, rows, state }: ScanPage): Promise<void> {
    const table = this.#keys.at(-1)!
    table.rows += keys.length
    await table.file.append(keys)
    await this.#file.append(rows)
    if (this.#state !== undefined && state !== undefined) await this.#state.append(state)
  }

  async end(): Promise<void> {
    const { info, rows } = this.#keys.at(-1)!
    this.#note(`${info.name}.rows`, 'F32', [rows, info.dim], this.#start)
    if (this.#state === undefined) return
    const start = this.#file.size
    await this.#file.appendFile(this.#state)
    this.#note(`${info.name}.state`, 'F32', [rows, info.stateValues], start)
  }

  async dense(info: DenseInfo, values: Float32Array, state: Float32Array): Promise<void> {
    this.#all.push(info)
    const start = this.#file.size
    await this.#file.append(values)
    this.#note(info.name, 'F32', [...info.shape], start)
    if (info.stateValues === 0) return
    const stateStart = this.#file.size
    await this.#file.append(state)
    this.#note(`${info.name}.state`, 'F32', [info.stateValues], stateStart)
  }

  async finish(): Promise<number> {
    const over = this.#file.size % 8
    if (over > 0 && this.#keys.length > 0) {
      const start = this.#file.size
      await this.#file.append(new Uint8Array(8 - over))
      this.#note(padding, 'U8', [8 - over], start)
    }
    for (const { info, file, rows } of this.#keys) {
      const start = this.#file.size
      await this.#file.appendFile(file)
      this.#note(`${info.name}.keys`, 'U64', [rows], start)
    }
    const header = new Uint8Array(prefixBytes + this.#headerBytes).fill(0x20)
    new DataView(header.buffer).setBigUint64(0, BigInt(this.#headerBytes), true)
    header.set(Buffer.from(headerText(this.#all, this.#entries)), prefixBytes)
    await this.#file.writeAt(0, header)
    await this.#place.placeFile(this.#file)
    return this.#file.size
  }

  discard(): Promise<void> {
    return this.#place.discard()
  }
}

function headerText(all: readonly ParameterInfo[], entries: ReadonlyMap<string, Entry>): string {
  const hotrow = toText(all.map((info) => describeParameter(info, arraysOf(info))))
  // Metadata is text alone. Not an object's literal: a tensor may be called __proto__.
  const parts = [`"__metadata__":${JSON.stringify({ hotrow })}`]
  for (const [name, entry] of entries)
    parts.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
  return `{${parts.join(',')}}`
}

/** Room for the header of any number of rows. */
function headerRoom(all: readonly ParameterInfo[]): number {
  const most = Number.MAX_SAFE_INTEGER
  const entries = new Map<string, Entry>()
  const note = (name: string, shape: number[]): void => {
    if (entries.has(name) || name === '__metadata__') {
      throw conflict(`two tensors would be called '${name}': export them to different files`)
    }
    entries.set(name, { dtype: 'F32', shape, data_offsets: [most, most] })
  }
  note(padding, [8])
  for (const info of all) {
    const shape = info.kind === 'dense' ? [...info.shape] : [most, info.dim]
    for (const name of Object.values(arraysOf(info))) note(name, [...shape, most])
  }
  const longest = all.map((info) => ({ ...info, steps: most }))
  return Math.ceil(Buffer.byteLength(headerText(longest, entries)) / 8) * 8
}

/** Begins an export of these parameters to a file. */
export async function exportSafetensors(
  path: string,
  all: readonly ParameterInfo[],
): Promise<Exporter> {
  const bytes = headerRoom(all)
  await expectFilePlace(path)
  const place = await Workplace.create(path)
  try {
    const file = await place.file('whole')
    await file.append(new Uint8Array(prefixBytes + bytes))
    return new SafetensorsExporter(place, file, bytes)
  } catch (error) {
    await place.discard()
    throw error
  }
}

const types: Record<string, TensorType> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I64: 'i64',
  U64: 'u64',
  I32: 'i32',
  U32: 'u32',
  I16: 'i16',
  U16: 'u16',
  I8: 'i8',
  U8: 'u8',
  BOOL: 'bool',
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function tensorOf(file: InputFile, base: number, name: string, value: unknown): Tensor {
  const where = `${file.path}: tensor '${name}'`
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  if (typeof dtype !== 'string') throw malformed(where, 'expected a dtype')
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw malformed(where, 'expected a shape of integers from 0 on')
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw malformed(where, 'expected data_offsets of two integers from 0 on')
  }
  const [begin, end] = offsets as [number, number]
  if (begin > end || end > file.size - base) {
    throw malformed(
      where,
      `data_offsets ${begin} to ${end} are not within the ${file.size - base} bytes of data`,
    )
  }
  const type = Object.hasOwn(types, dtype) ? types[dtype] : undefined
  const size = sizeOf(shape)
  if (type !== undefined && (size === undefined || size * typeBytes[type] !== end - begin)) {
    throw malformed(where, `${end - begin} bytes are not [${shape}] of ${dtype}`)
  }
  return { file, offset: base + begin, type: type ?? dtype, shape, where }
}

/** Every byte belongs to one tensor, as the format demands. */
function expectNoGaps(file: InputFile, base: number, header: [string, unknown][]): void {
  const spans = header.map(([name, value]) => {
    const [begin, end] = (value as Entry).data_offsets
    return { name, begin, end }
  })
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { name, begin, end } of spans) {
    if (begin !== at) {
      const what = begin < at ? 'overlaps the tensor before it' : `leaves a gap from byte ${at}`
      throw malformed(`${file.path}: tensor '${name}'`, what)
    }
    at = end
  }
  if (at !== file.size - base) {
    throw malformed(file.path, `${file.size - base - at} bytes at the end belong to no tensor`)
  }
}

async function readHeader(file: InputFile): Promise<{ base: number; header: [string, unknown][] }> {
  if (file.size < prefixBytes) throw malformed(file.path, 'too short to be safetensors')
  const prefix = await file.read(0, prefixBytes)
  const length = new DataView(prefix.buffer).getBigUint64(0, true)
  if (length > BigInt(Math.min(maxHeaderBytes, file.size - prefixBytes))) {
    throw malformed(
      file.path,
      `its header would have ${length} bytes, the file has ${file.size}: it is no safetensors file`,
    )
  }
  const bytes = await file.read(prefixBytes, Number(length))
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw malformed(file.path, 'expected a header of JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(file.path, 'expected a header that is a JSON object')
  }
  return { base: prefixBytes + Number(length), header: Object.entries(value) }
}

/** Tables and dense parameters of a file that does not say which tensor is what. */
function guessed(
  tensors: ReadonlyMap<string, Tensor>,
  names: ImportNames,
): (SourceTable | SourceDense)[] {
  const { keys = 'keys', rows = 'rows', state = 'state' } = names
  const taken = new Set<string>([padding])
  const found: (SourceTable | SourceDense)[] = []
  for (const [name, its] of tensors) {
    const stem = name === keys ? '' : name.endsWith(`.${keys}`) ? name.slice(0, -keys.length) : null
    const itsRows = stem === null ? undefined : tensors.get(stem + rows)
    if (stem === null || itsRows === undefined) continue
    const described = stem === '' ? {} : { name: stem.slice(0, -1) }
    found.push(tableOf(described, its, itsRows, tensors.get(stem + state)))
    for (const each of [name, stem + rows, stem + state]) taken.add(each)
  }
  for (const [name, values] of tensors) {
    if (!taken.has(name)) found.push(denseOf({ name }, values, undefined))
  }
  return found
}

/** Opens a file and checks all that its header says. */
export async function openSafetensors(path: string, names: ImportNames): Promise<Source> {
  const file = await InputFile.open(path)
  try {
    const { base, header } = await readHeader(file)
    const entries = header.filter(([name]) => name !== '__metadata__')
    const tensors = new Map(
      entries.map(([name, value]) => [name, tensorOf(file, base, name, value)]),
    )
    expectNoGaps(file, base, entries)
    const metadata = header.find(([name]) => name === '__metadata__')?.[1]
    const text = (metadata as Record<string, unknown> | undefined)?.['hotrow']
    const parameters =
      typeof text === 'string'
        ? parametersOf(path, fromText(`${path}: metadata`, text), (name) => tensors.get(name))
        : guessed(tensors, names)
    return { parameters, close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}
