/**
 * Reading Arrow's IPC files: see arrow.ts. The library parses what arrow-check.ts has followed to
 * its end; what it gives is measured before it is used, because it takes a file's numbers as they
 * come.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Data, Field, RecordBatch, Schema, Vector } from 'apache-arrow'
import { StoreError } from '../errors.ts'
import type { ScanPage } from '../pages.ts'
import { type Arrow, loadArrow } from './arrow.ts'
import { checkArrow } from './arrow-check.ts'
import { type Described, fromText } from './description.ts'
import { InputFile, malformed, naming } from './files.ts'
import { floatsOf, sizeOf } from './tensor.ts'
import type { ImportNames, Source, SourceDense, SourceTable } from './types.ts'

/** work(), with whatever the library throws said of the file. */
async function parsing<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreError) throw error
    throw malformed(where, `is not Arrow that can be read: ${(error as Error).message}`)
  }
}

interface Reader extends AsyncIterator<RecordBatch> {
  schema: Schema | undefined
  numRecordBatches: number
  isFile(): boolean
  readRecordBatch(index: number): Promise<RecordBatch | null>
}

async function readerOf(arrow: Arrow, file: InputFile): Promise<Reader> {
  return parsing(file.path, async () => {
    const opened: unknown = await arrow.RecordBatchReader.from(file.asHandle() as never)
    // Opened on one file, it is one reader, though its type says of some.
    return (await (opened as { open(): Promise<unknown> }).open()) as Reader
  })
}

/** A file's batches by their numbers, so that none is passed over in silence. */
async function* batchesOf(arrow: Arrow, file: InputFile): AsyncGenerator<RecordBatch, void> {
  const reader = await readerOf(arrow, file)
  const count = reader.isFile() ? reader.numRecordBatches : Number.POSITIVE_INFINITY
  for (let i = 0; i < count; ++i) {
    const batch = await parsing(file.path, async () => {
      if (reader.isFile()) return reader.readRecordBatch(i)
      const { done, value } = await reader.next()
      return done === true ? undefined : value
    })
    if (batch === null) throw malformed(file.path, `record batch ${i} of ${count} is not there`)
    if (batch === undefined) return
    yield batch
  }
}

/** `length` values of a column, where they lie; undefined when it has fewer. */
function valuesOf(column: Data | undefined, length: number): ArrayBufferView | undefined {
  const values = column?.values as (ArrayBufferView & { length: number }) | undefined
  if (values === undefined || !ArrayBuffer.isView(values) || values.length < length)
    return undefined
  return values
}

function expectWhole(where: string, name: string, column: Vector | null, rows: number): Data {
  const data = column?.data[0]
  if (data === undefined || column!.data.length !== 1 || data.length !== rows) {
    throw malformed(where, `column '${name}' is not whole`)
  }
  return data
}

const floatNames = ['f16', 'f32', 'f64'] as const

/** f32 of the child of a list: `count` values from `first` on. */
function listFloats(where: string, name: string, list: Data, first: number, count: number) {
  const child = list.children[0]
  const values = valuesOf(child, first + count)
  const precision = (child?.type as { precision?: number } | undefined)?.precision
  const type = floatNames[precision ?? -1]
  if (child === undefined || values === undefined || type === undefined) {
    throw malformed(where, `column '${name}' is not whole`)
  }
  if (child.nullCount > 0 || list.nullCount > 0) throw malformed(where, `'${name}' has nulls`)
  const typed = values as Float32Array
  const part = typed.subarray(first, first + count)
  if (type === 'f32') return part
  const copy = part.slice()
  return floatsOf(type, copy.buffer as ArrayBuffer)
}

function keysFrom(where: string, name: string, data: Data): BigUint64Array {
  const values = valuesOf(data, data.length)
  if (values === undefined) throw malformed(where, `column '${name}' is not whole`)
  if (data.nullCount > 0) throw malformed(where, `'${name}' has nulls`)
  if (values instanceof BigUint64Array) return values.subarray(0, data.length)
  if (values instanceof BigInt64Array) {
    return new BigUint64Array(values.buffer, values.byteOffset, data.length)
  }
  const numbers = Array.from((values as Int32Array).subarray(0, data.length))
  return BigUint64Array.from(numbers, (key) => BigInt.asUintN(64, BigInt(key)))
}

interface Columns {
  keys: string
  rows: string
  state: string
  dim: number
  stateValues: number
}

async function* pagesOf(
  arrow: Arrow,
  file: InputFile,
  columns: Columns,
  pageRows: number,
  withState: boolean,
): AsyncGenerator<ScanPage, void, undefined> {
  const { dim, stateValues } = columns
  const where = file.path
  for await (const batch of batchesOf(arrow, file)) {
    const page = await parsing(where, async () => {
      const column = (name: string) => expectWhole(where, name, batch.getChild(name), batch.numRows)
      const keys = keysFrom(where, columns.keys, column(columns.keys))
      const floats = (name: string, width: number) =>
        listFloats(where, name, column(name), 0, keys.length * width)
      return {
        keys,
        rows: floats(columns.rows, dim),
        state: withState && stateValues > 0 ? floats(columns.state, stateValues) : undefined,
      }
    })
    for (let first = 0; first < page.keys.length; first += pageRows) {
      const last = Math.min(first + pageRows, page.keys.length)
      const part: ScanPage = {
        keys: page.keys.subarray(first, last),
        rows: page.rows.subarray(first * dim, last * dim),
      }
      if (page.state) part.state = page.state.subarray(first * stateValues, last * stateValues)
      yield part
    }
  }
}

/** The width of a column of fixed lists of floats. */
function widthOf(arrow: Arrow, where: string, field: Field): number {
  const { type, name } = field
  const item: unknown = arrow.DataType.isFixedSizeList(type) ? type.children[0]?.type : undefined
  if (arrow.DataType.isFloat(item)) return (type as { listSize: number }).listSize
  throw malformed(where, `expected a fixed-size list of floats in '${name}', it has ${type}`)
}

function sourceTable(
  arrow: Arrow,
  file: InputFile,
  schema: Schema,
  described: Described | undefined,
  names: ImportNames,
): SourceTable {
  const where = file.path
  const { keys = 'keys', rows = 'rows', state = 'state' } = described?.arrays ?? names
  const find = (name: string) => schema.fields.find((field) => field.name === name)
  const keyField = find(keys)
  const rowField = find(rows)
  const stateField = find(state)
  if (keyField === undefined || rowField === undefined) {
    const has = schema.fields.map(({ name }) => `'${name}'`).join(', ')
    throw malformed(where, `expected columns '${keys}' and '${rows}', it has ${has || 'none'}`)
  }
  const { type } = keyField
  const bits = arrow.DataType.isInt(type) ? type.bitWidth : 0
  if (bits < 32) throw malformed(where, `expected keys of 32 or 64 bits, it has ${type}`)
  const dim = widthOf(arrow, where, rowField)
  const stateValues = stateField === undefined ? 0 : widthOf(arrow, where, stateField)
  if (!(dim > 0)) throw malformed(where, 'expected rows of at least one value')
  const columns = { keys, rows, state, dim, stateValues }
  return {
    kind: 'table',
    name: described?.name,
    dim,
    rows: undefined,
    stateValues,
    steps: described?.steps ?? 0,
    options: described?.options as SourceTable['options'],
    where,
    pages: (pageRows, withState) => pagesOf(arrow, file, columns, pageRows, withState),
  }
}

/** A dense parameter is read whole, to know that it is: one row of lists. */
async function sourceDense(
  arrow: Arrow,
  file: InputFile,
  described: Described,
): Promise<SourceDense> {
  const where = file.path
  const { name, steps, options, arrays } = described
  const { shape } = options as { shape?: number[] }
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw malformed(where, `expected a shape of '${name}'`)
  }
  const read = () =>
    parsing(where, async () => {
      const { value: batch } = await batchesOf(arrow, file).next()
      const list = (column: string): Float32Array => {
        const data = expectWhole(where, column, batch?.getChild(column) ?? null, 1)
        const [first, last] = data.valueOffsets as unknown as [number, number]
        if (!(first >= 0 && last >= first)) throw malformed(where, `'${column}' is not whole`)
        return listFloats(where, column, data, first, last - first)
      }
      const state = arrays['state'] === undefined ? undefined : list(arrays['state'])
      return { values: list(arrays['values'] ?? 'values'), state }
    })
  const { values, state } = await read()
  if (values.length !== sizeOf(shape)) {
    throw malformed(where, `${values.length} values are not [${shape}]`)
  }
  const stateValues = state?.length ?? 0
  return { kind: 'dense', name, shape, stateValues, steps, options: options as never, where, read }
}

async function parameterOf(arrow: Arrow, file: InputFile, names: ImportNames) {
  await checkArrow(file)
  const { schema } = await readerOf(arrow, file)
  if (schema === undefined) throw malformed(file.path, 'has no schema')
  const text = schema.metadata.get('hotrow')
  const described = text === undefined ? [] : fromText(`${file.path}: metadata`, text)
  if (described.length > 1) throw malformed(file.path, 'describes more than one parameter')
  const [only] = described
  if (only?.kind === 'dense') return sourceDense(arrow, file, only)
  return parsing(file.path, async () => sourceTable(arrow, file, schema, only, names))
}

/** Opens a file, or the `.arrow` files of a folder, and checks their schemas. */
export async function openArrow(path: string, names: ImportNames): Promise<Source> {
  const arrow = await loadArrow()
  const opened: InputFile[] = []
  const close = async (): Promise<void> => {
    for (const file of opened) await file.close()
  }
  try {
    const folder = (await naming(path, () => stat(path))).isDirectory()
    const inside = folder ? await naming(path, () => readdir(path)) : []
    const files = inside.filter((name) => /\.(arrow|feather)$/.test(name)).sort()
    if (folder && files.length === 0) throw malformed(path, 'has no .arrow files')
    const parameters: Source['parameters'] = []
    for (const each of folder ? files.map((name) => join(path, name)) : [path]) {
      const file = await InputFile.open(each)
      opened.push(file)
      parameters.push(await parameterOf(arrow, file, names))
    }
    return { parameters, close }
  } catch (error) {
    await close()
    throw error
  }
}
