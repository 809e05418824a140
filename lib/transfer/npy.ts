/**
 * NumPy's `.npy`: a folder with one file an array, `NAME.keys.npy` (u64), `NAME.rows.npy` and
 * `NAME.state.npy` of a table, `NAME.npy` and `NAME.state.npy` of a dense parameter, and
 * `hotrow.json`, which says what is what.
 *
 * Headers have one length whatever the number of rows, so they are written last into their place.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ScanPage } from '../pages.ts'
import {
  type Described,
  describeParameter,
  fromText,
  parametersOf,
  tableOf,
  toText,
} from './description.ts'
import {
  expectFolderPlace,
  InputFile,
  malformed,
  naming,
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

export const descriptionName = 'hotrow.json'
const magic = '\x93NUMPY'
const maxHeaderBytes = 2 ** 20
/** Of our own headers: up to eight dimensions of 16 digits fit, and NumPy's alignment is 64. */
const headerBytes = 256

function headerOf(descr: string, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tuple}), }`
  const bytes = Buffer.alloc(headerBytes, 0x20)
  bytes.write(magic, 'latin1')
  bytes.writeUInt16LE(1, 6) // version 1.0: the major one first
  bytes.writeUInt16LE(headerBytes - 10, 8)
  bytes.write(text, 10, 'latin1')
  bytes.write('\n', headerBytes - 1, 'latin1')
  return bytes
}

/** File names that are safe anywhere, each given once. */
export class FileNames {
  readonly #given = new Set<string>([descriptionName])

  give(name: string, ending: string): string {
    // Long names and those that differ in case alone are told apart by a number.
    const stem = encodeURIComponent(name).replaceAll('*', '%2A').slice(0, 200)
    for (let number = 0; ; number++) {
      const file = `${stem}${number === 0 ? '' : `-${number}`}${ending}`
      if (this.#given.has(file.toLowerCase())) continue
      this.#given.add(file.toLowerCase())
      return file
    }
  }
}

class NpyExporter implements Exporter {
  readonly #place: Workplace
  readonly #names = new FileNames()
  readonly #described: Described[] = []
  readonly #files: OutputFile[] = []
  #open: { keys: OutputFile; rows: OutputFile; state: OutputFile | undefined } | undefined
  #info: TableInfo | undefined
  #rows = 0

  constructor(place: Workplace) {
    this.#place = place
  }

  async #file(info: ParameterInfo, ending: string): Promise<[OutputFile, string]> {
    const name = this.#names.give(info.name, ending)
    const file = await this.#place.file(name)
    this.#files.push(file)
    await file.append(new Uint8Array(headerBytes))
    return [file, name]
  }

  async begin(info: TableInfo): Promise<void> {
    const [keys, keysName] = await this.#file(info, '.keys.npy')
    const [rows, rowsName] = await this.#file(info, '.rows.npy')
    const arrays: Record<string, string> = { keys: keysName, rows: rowsName }
    let state: OutputFile | undefined
    if (info.stateValues > 0) [state, arrays['state']] = await this.#file(info, '.state.npy')
    this.#open = { keys, rows, state }
    this.#info = info
    this.#rows = 0
    this.#described.push(describeParameter(info, arrays))
  }

  async page({ keys, rows, state }: ScanPage): Promise<void> {
    const files = this.#open!
    this.#rows += keys.length
    await files.keys.append(keys)
    await files.rows.append(rows)
    if (files.state !== undefined && state !== undefined) await files.state.append(state)
  }

  async end(): Promise<void> {
    const { keys, rows, state } = this.#open!
    const { dim, stateValues } = this.#info!
    await keys.writeAt(0, headerOf('<u8', [this.#rows]))
    await rows.writeAt(0, headerOf('<f4', [this.#rows, dim]))
    await state?.writeAt(0, headerOf('<f4', [this.#rows, stateValues]))
  }

  async dense(info: DenseInfo, values: Float32Array, state: Float32Array): Promise<void> {
    const [file, name] = await this.#file(info, '.npy')
    const arrays: Record<string, string> = { values: name }
    await file.append(values)
    await file.writeAt(0, headerOf('<f4', info.shape))
    if (info.stateValues > 0) {
      const [stateFile, stateName] = await this.#file(info, '.state.npy')
      arrays['state'] = stateName
      await stateFile.append(state)
      await stateFile.writeAt(0, headerOf('<f4', [info.stateValues]))
    }
    this.#described.push(describeParameter(info, arrays))
  }

  async finish(): Promise<number> {
    const description = await this.#place.file(descriptionName)
    await description.append(Buffer.from(`${toText(this.#described)}\n`))
    await this.#place.placeFolder()
    return [description, ...this.#files].reduce((bytes, file) => bytes + file.size, 0)
  }

  discard(): Promise<void> {
    return this.#place.discard()
  }
}

/** Begins an export to a folder. */
export async function exportNpy(path: string): Promise<Exporter> {
  await expectFolderPlace(path)
  return new NpyExporter(await Workplace.create(path))
}

const types: Record<string, TensorType> = {
  f8: 'f64',
  f4: 'f32',
  f2: 'f16',
  i8: 'i64',
  u8: 'u64',
  i4: 'i32',
  u4: 'u32',
  i2: 'i16',
  u2: 'u16',
  i1: 'i8',
  u1: 'u8',
  b1: 'bool',
}

/** What the Python literal of a header says. */
function parseHeader(where: string, text: string) {
  const descr = /'descr'\s*:\s*'([<>=|])([a-zA-Z]\d+)'/.exec(text)
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)
  if (!/^\s*\{.*\}\s*$/s.test(text) || order === null || shape === null) {
    throw malformed(where, 'expected a header with descr, fortran_order and shape')
  }
  if (descr === null || !Object.hasOwn(types, descr[2]!)) {
    const its = /'descr'\s*:\s*([^,}]*)/.exec(text)?.[1] ?? 'none'
    throw malformed(where, `expected numbers of one type, its descr is ${its}`)
  }
  const dimensions = shape[1]!.split(',').map((each) => each.replace('L', '').trim())
  // (3,) has nothing behind its comma.
  if (dimensions.at(-1) === '') dimensions.pop()
  if (dimensions.some((each) => !/^\d+$/.test(each))) {
    throw malformed(where, `expected a shape of integers, it has (${shape[1]})`)
  }
  return {
    type: types[descr[2]!]!,
    bigEndian: descr[1] === '>',
    fortran: order[1] === 'True',
    shape: dimensions.map(Number),
  }
}

/** Where the header's text lies: [offset, bytes]. */
async function headerPlace(file: InputFile): Promise<[number, number]> {
  const start = file.size < 10 ? undefined : await file.read(0, Math.min(file.size, 12))
  if (start === undefined || Buffer.from(start.buffer).toString('latin1', 0, 6) !== magic) {
    throw malformed(file.path, 'does not begin as .npy files do')
  }
  const view = new DataView(start.buffer)
  const major = view.getUint8(6)
  if (major < 1 || major > 3) throw malformed(file.path, `has the unknown .npy version ${major}`)
  const prefix = major === 1 ? 10 : 12
  if (start.length < prefix) throw malformed(file.path, 'ends in its header')
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > Math.min(maxHeaderBytes, file.size - prefix)) {
    throw malformed(
      file.path,
      `its header would have ${length} bytes, the file has ${file.size} in all`,
    )
  }
  return [prefix, length]
}

/** The array of an opened file. */
export async function readNpy(file: InputFile): Promise<Tensor> {
  const [prefix, length] = await headerPlace(file)
  const text = Buffer.from(await file.read(prefix, length)).toString('utf8')
  const header = parseHeader(file.path, text)
  const size = sizeOf(header.shape)
  const offset = prefix + length
  const bytes = size === undefined ? undefined : size * typeBytes[header.type]
  if (bytes !== file.size - offset) {
    throw malformed(
      file.path,
      `${file.size - offset} bytes of data are not [${header.shape}] of ${header.type}`,
    )
  }
  return { file, offset, ...header, where: file.path }
}

/** Pairs of a folder without a description. */
function paired(
  path: string,
  files: ReadonlyMap<string, Tensor>,
  names: ImportNames,
): (SourceTable | SourceDense)[] {
  const { keys = 'keys', rows = 'rows', state = 'state' } = names
  const found: SourceTable[] = []
  for (const [name, its] of files) {
    const stem = name.slice(0, -`${keys}.npy`.length)
    if (name !== `${stem}${keys}.npy` || (stem !== '' && !stem.endsWith('.'))) continue
    const itsRows = files.get(`${stem}${rows}.npy`)
    if (itsRows === undefined) throw malformed(path, `${name} has no ${stem}${rows}.npy beside it`)
    const described = stem === '' ? {} : { name: stem.slice(0, -1) }
    found.push(tableOf(described, its, itsRows, files.get(`${stem}${state}.npy`)))
  }
  if (found.length > 0) return found
  throw malformed(path, `expected ${keys}.npy and ${rows}.npy, or NAME.${keys}.npy and so on`)
}

async function readDescription(path: string): Promise<Described[]> {
  const file = await InputFile.open(path)
  try {
    // Some kilobytes a parameter.
    if (file.size > 2 ** 28) throw malformed(path, `is too large: ${file.size} bytes`)
    return fromText(path, Buffer.from(await file.read(0, file.size)).toString('utf8'))
  } finally {
    await file.close()
  }
}

/** Opens the `.npy` files of a folder and checks their headers. */
export async function openNpy(path: string, names: ImportNames): Promise<Source> {
  const opened: InputFile[] = []
  const close = async (): Promise<void> => {
    for (const file of opened) await file.close()
  }
  try {
    const inside = await naming(path, () => readdir(path))
    const tensors = new Map<string, Tensor>()
    for (const name of inside.sort()) {
      if (!name.endsWith('.npy')) continue
      const file = await InputFile.open(join(path, name))
      opened.push(file)
      tensors.set(name, await readNpy(file))
    }
    const description = join(path, descriptionName)
    const parameters = inside.includes(descriptionName)
      ? parametersOf(path, await readDescription(description), (name) => tensors.get(name))
      : paired(path, tensors, names)
    return { parameters, close }
  } catch (error) {
    await close()
    throw error
  }
}
