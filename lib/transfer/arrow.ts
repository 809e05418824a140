/**
 * Apache Arrow's IPC files, by the optional peer apache-arrow: a folder with `NAME.arrow` for each
 * parameter, whose schema's metadata says what it is. Reading: arrow-read.ts.
 *
 * A table has the columns keys (uint64), rows and state (fixed_size_list of float32) and one record
 * batch a page. A dense parameter has one row with the lists values and state.
 */
import type { Data, Field, RecordBatch, Schema } from 'apache-arrow'
import type { ScanPage } from '../pages.ts'
import { describeParameter, toText } from './description.ts'
import { expectFolderPlace, type OutputFile, unsupported, Workplace } from './files.ts'
import { FileNames } from './npy.ts'
import type { DenseInfo, Exporter, ParameterInfo, TableInfo } from './types.ts'

export type Arrow = typeof import('apache-arrow')

export async function loadArrow(): Promise<Arrow> {
  try {
    return await import('apache-arrow')
  } catch (error) {
    const why = (error as Error).message.split('\n')[0]
    throw unsupported(
      `format 'arrow' needs the package apache-arrow: npm install apache-arrow (${why})`,
    )
  }
}

function listField(arrow: Arrow, name: string, size: number | undefined): Field {
  const item = new arrow.Field('item', new arrow.Float32(), false)
  const type = size === undefined ? new arrow.List(item) : new arrow.FixedSizeList(size, item)
  return new arrow.Field(name, type, false)
}

function floatsData(arrow: Arrow, field: Field, length: number, values: Float32Array): Data {
  const child = arrow.makeData({ type: new arrow.Float32(), data: values, nullCount: 0 })
  const offsets = arrow.DataType.isList(field.type) && {
    valueOffsets: Int32Array.of(0, values.length),
  }
  // The kinds of lists have no common type that makeData takes.
  return arrow.makeData({ type: field.type, length, nullCount: 0, child, ...offsets } as never)
}

/** One file under way: batches in, bytes out, none of them kept. */
class ArrowFile {
  readonly file: OutputFile
  readonly #arrow: Arrow
  readonly #schema: Schema
  readonly #chunks: Uint8Array[] = []
  readonly #end: () => void
  readonly #write: (batch: RecordBatch) => void

  constructor(arrow: Arrow, file: OutputFile, schema: Schema) {
    this.file = file
    this.#arrow = arrow
    this.#schema = schema
    const chunks = this.#chunks
    class Sink extends arrow.AsyncByteQueue {
      override write(chunk: Uint8Array): void {
        if (chunk.byteLength > 0) chunks.push(chunk)
      }
    }
    const writer = new arrow.RecordBatchFileWriter()
    writer.reset(new Sink() as never, schema)
    this.#write = (batch) => writer.write(batch)
    this.#end = () => writer.close()
  }

  async #flush(): Promise<void> {
    for (const chunk of this.#chunks.splice(0)) await this.file.append(chunk)
  }

  async batch(length: number, children: Data[]): Promise<void> {
    const arrow = this.#arrow
    const type = new arrow.Struct(this.#schema.fields)
    const data = arrow.makeData({ type, length, nullCount: 0, children })
    this.#write(new arrow.RecordBatch(this.#schema, data))
    await this.#flush()
  }

  async end(): Promise<void> {
    this.#end()
    await this.#flush()
  }
}

class ArrowExporter implements Exporter {
  readonly #arrow: Arrow
  readonly #place: Workplace
  readonly #names = new FileNames()
  #bytes = 0
  #open: { file: ArrowFile; fields: Field[] } | undefined

  constructor(arrow: Arrow, place: Workplace) {
    this.#arrow = arrow
    this.#place = place
  }

  async #begin(info: ParameterInfo, fields: Field[]): Promise<void> {
    const arrays = Object.fromEntries(fields.map(({ name }) => [name, name]))
    const metadata = new Map([['hotrow', toText([describeParameter(info, arrays)])]])
    const schema = new this.#arrow.Schema(fields, metadata)
    const file = await this.#place.file(this.#names.give(info.name, '.arrow'))
    this.#open = { file: new ArrowFile(this.#arrow, file, schema), fields }
  }

  async begin(info: TableInfo): Promise<void> {
    const arrow = this.#arrow
    const fields = [
      new arrow.Field('keys', new arrow.Uint64(), false),
      listField(arrow, 'rows', info.dim),
    ]
    if (info.stateValues > 0) fields.push(listField(arrow, 'state', info.stateValues))
    await this.#begin(info, fields)
  }

  async page({ keys, rows, state }: ScanPage): Promise<void> {
    const arrow = this.#arrow
    const { file, fields } = this.#open!
    const data: Data[] = [
      arrow.makeData({ type: new arrow.Uint64(), data: keys, nullCount: 0 }),
      floatsData(arrow, fields[1]!, keys.length, rows),
    ]
    if (fields.length > 2) data.push(floatsData(arrow, fields[2]!, keys.length, state!))
    await file.batch(keys.length, data)
  }

  async end(): Promise<void> {
    const { file } = this.#open!
    await file.end()
    this.#bytes += file.file.size
  }

  async dense(info: DenseInfo, values: Float32Array, state: Float32Array): Promise<void> {
    const arrow = this.#arrow
    const arrays: [string, Float32Array][] = [['values', values]]
    if (info.stateValues > 0) arrays.push(['state', state])
    const fields = arrays.map(([name]) => listField(arrow, name, undefined))
    await this.#begin(info, fields)
    const data = arrays.map(([, its], i) => floatsData(arrow, fields[i]!, 1, its))
    await this.#open!.file.batch(1, data)
    await this.end()
  }

  async finish(): Promise<number> {
    await this.#place.placeFolder()
    return this.#bytes
  }

  discard(): Promise<void> {
    return this.#place.discard()
  }
}

/** Begins an export to a folder. */
export async function exportArrow(path: string): Promise<Exporter> {
  const arrow = await loadArrow()
  await expectFolderPlace(path)
  return new ArrowExporter(arrow, await Workplace.create(path))
}
