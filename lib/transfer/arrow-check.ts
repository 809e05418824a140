/**
 * Whether an Arrow file's structure can be followed. The library takes the places and lengths in it
 * as they come: a damaged one would lead it in circles, or through two milliards of elements that
 * are not there. So all flatbuffers of a file (its footer and the head of each message) are read
 * here first, with each place checked, before the library sees the file.
 *
 * Format: https://arrow.apache.org/docs/format/Columnar.html and the schemas
 * format/{Schema,Message,File}.fbs of Apache Arrow; tables and vectors as in
 * https://flatbuffers.dev/internals/.
 */
import { type InputFile, malformed } from './files.ts'

type Kind =
  | { scalar: number }
  | { string: true }
  /** Elements of so many bytes. */
  | { vector: number }
  | { table: () => Shape }
  | { tables: () => Shape }
  /** By the type in the slot before; what is unknown has no fields that are read. */
  | { union: (type: number) => Shape | undefined }

/** The fields of a table, by their slots. */
type Shape = Kind[]

const byte: Kind = { scalar: 1 }
const short: Kind = { scalar: 2 }
const int: Kind = { scalar: 4 }
const long: Kind = { scalar: 8 }
const text: Kind = { string: true }

const keyValue: Shape = [text, text]
const metadata: Kind = { tables: () => keyValue }
const intType: Shape = [int, byte]
const types: Record<number, Shape> = {
  2: intType,
  3: [short],
  7: [int, int, int],
  8: [short],
  9: [short, int],
  10: [short, text],
  11: [short],
  14: [short, { vector: 4 }],
  15: [int],
  16: [int],
  17: [byte],
  18: [short],
}
const dictionary: Shape = [long, { table: () => intType }, byte, short]
const field: Shape = [
  text,
  byte,
  byte,
  { union: (type) => types[type] },
  { table: () => dictionary },
  { tables: () => field },
  metadata,
]
const schema: Shape = [short, { tables: () => field }, metadata, { vector: 8 }]
const compression: Shape = [byte, byte]
const recordBatch: Shape = [
  long,
  { vector: 16 },
  { vector: 16 },
  { table: () => compression },
  { vector: 8 },
]
const dictionaryBatch: Shape = [long, { table: () => recordBatch }, byte]
const headers: Record<number, Shape> = { 1: schema, 2: dictionaryBatch, 3: recordBatch }
const message: Shape = [short, byte, { union: (type) => headers[type] }, long, metadata]
const footer: Shape = [short, { table: () => schema }, { vector: 24 }, { vector: 24 }, metadata]

const kDeepest = 64
/** Bytes of a message's head: a description of columns and buffers. */
const kMostHead = 2 ** 26

/** One flatbuffer. Whoever reads a table has checked it. */
class Flatbuffer {
  readonly #view: DataView
  readonly #fail: (what: string) => Error
  #tables = 0

  constructor(bytes: Uint8Array, fail: (what: string) => Error) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#fail = fail
  }

  /** Checks the whole, and gives the place of its root. */
  root(shape: Shape): number {
    const at = this.#reference(0)
    this.#checkTable(at, shape, 0)
    return at
  }

  #expect(at: number, bytes: number): void {
    if (at >= 0 && at + bytes <= this.#view.byteLength) return
    throw this.#fail(`a flatbuffer of ${this.#view.byteLength} bytes leads to byte ${at}`)
  }

  #reference(at: number): number {
    this.#expect(at, 4)
    const to = at + this.#view.getUint32(at, true)
    this.#expect(to, 4)
    return to
  }

  /** Where a table has a field; 0 where it has none. */
  #place(table: number, slot: number): number {
    const view = this.#view
    const vtable = table - view.getInt32(table, true)
    this.#expect(vtable, 4)
    const size = view.getUint16(vtable, true)
    this.#expect(vtable, size)
    const entry = 4 + 2 * slot
    const offset = entry + 2 <= size ? view.getUint16(vtable + entry, true) : 0
    return offset === 0 ? 0 : table + offset
  }

  #checkTable(table: number, shape: Shape, depth: number): void {
    // Tables may share parts, but no honest file has more of them than bytes.
    if (depth > kDeepest || ++this.#tables > this.#view.byteLength) {
      throw this.#fail('a flatbuffer has no end')
    }
    this.#expect(table, 4)
    for (const [slot, kind] of shape.entries()) {
      const at = this.#place(table, slot)
      if (at !== 0) this.#checkField(table, slot, at, kind, depth)
    }
  }

  #checkField(table: number, slot: number, at: number, kind: Kind, depth: number): void {
    if ('scalar' in kind) {
      this.#expect(at, kind.scalar)
      return
    }
    const to = this.#reference(at)
    if ('table' in kind) {
      this.#checkTable(to, kind.table(), depth + 1)
      return
    }
    if ('union' in kind) {
      const its = kind.union(this.byte(table, slot - 1))
      if (its !== undefined) this.#checkTable(to, its, depth + 1)
      return
    }
    const count = this.#view.getUint32(to, true)
    const size = 'string' in kind ? 1 : 'vector' in kind ? kind.vector : 4
    this.#expect(to + 4, count * size)
    if (!('tables' in kind)) return
    for (let i = 0; i < count; ++i) {
      this.#checkTable(this.#reference(to + 4 + 4 * i), kind.tables(), depth + 1)
    }
  }

  byte(table: number, slot: number): number {
    const at = this.#place(table, slot)
    if (at === 0) return 0
    this.#expect(at, 1)
    return this.#view.getUint8(at)
  }

  long(table: number, slot: number): number {
    const at = this.#place(table, slot)
    return at === 0 ? 0 : Number(this.#view.getBigInt64(at, true))
  }

  table(table: number, slot: number): number | undefined {
    const at = this.#place(table, slot)
    return at === 0 ? undefined : this.#reference(at)
  }

  /** Of each struct of a vector, `bytes` long, the 64-bit integers at `offsets`. */
  structs(table: number, slot: number, offsets: number[], bytes: number): number[][] {
    const at = this.#place(table, slot)
    if (at === 0) return []
    const to = this.#reference(at)
    const value = (i: number, offset: number) =>
      Number(this.#view.getBigInt64(to + 4 + i * bytes + offset, true))
    const count = this.#view.getUint32(to, true)
    return Array.from({ length: count }, (_, i) => offsets.map((offset) => value(i, offset)))
  }
}

/** Checks a batch against its body and the file: no length is of what cannot be there. */
function checkBatch(
  flat: Flatbuffer,
  batch: number,
  body: number,
  fileSize: number,
  fail: (what: string) => Error,
): void {
  const most = 8 * fileSize
  const rows = flat.long(batch, 0)
  if (!(rows >= 0 && rows <= most)) throw fail(`a batch would have ${rows} rows`)
  for (const [length, nulls] of flat.structs(batch, 1, [0, 8], 16) as [number, number][]) {
    if (!(length >= 0 && length <= most && nulls <= length)) {
      throw fail(`a column would have ${length} values, ${nulls} of them null`)
    }
  }
  for (const [start, length] of flat.structs(batch, 2, [0, 8], 16) as [number, number][]) {
    if (!(start >= 0 && length >= 0 && start + length <= body)) {
      throw fail(`a column's bytes ${start} to ${start + length} are not in its ${body}`)
    }
  }
}

const kTypes = ['nothing', 'a schema', 'a dictionary', 'a record batch'] as const

/** Checks the message at `at`; gives its type and where it ends, undefined at the stream's end. */
async function checkMessage(file: InputFile, at: number, last: number) {
  const fail = (what: string) => malformed(file.path, `${what} (message at byte ${at})`)
  const word = async (place: number): Promise<number> => {
    if (place + 4 > last) throw fail('is not whole')
    return Buffer.from(await file.read(place, 4)).readInt32LE(0)
  }
  if (at === last) return undefined
  let start = at + 4
  let length = await word(at)
  // Before version 0.15 messages had no marker in front of their length.
  if (length === -1) {
    length = await word(start)
    start += 4
  }
  if (length === 0) return undefined
  if (length < 0 || start + length > last || length > kMostHead) {
    throw fail(`its head would have ${length} bytes`)
  }
  const flat = new Flatbuffer(await file.read(start, length), fail)
  const root = flat.root(message)
  const type = flat.byte(root, 1)
  const header = flat.table(root, 2)
  const body = flat.long(root, 3)
  const end = start + length + body
  if (!(body >= 0 && end <= last)) throw fail(`its body would have ${body} bytes`)
  if (header === undefined || kTypes[type] === undefined) throw fail('is of an unknown type')
  const batch = type === 2 ? flat.table(header, 1) : header
  if (type > 1) {
    if (batch === undefined) throw fail('has no batch')
    checkBatch(flat, batch, body, file.size, fail)
  }
  return { type, end, head: length }
}

async function checkStream(file: InputFile): Promise<void> {
  const first = await checkMessage(file, 0, file.size)
  if (first?.type !== 1) throw malformed(file.path, 'does not begin with a schema')
  for (let at = first.end; ; ) {
    const its = await checkMessage(file, at, file.size)
    if (its === undefined) return
    if (its.type === 1) throw malformed(file.path, `has a second schema at byte ${at}`)
    at = its.end
  }
}

async function checkFooted(file: InputFile): Promise<void> {
  const end = file.size < 18 ? undefined : Buffer.from(await file.read(file.size - 10, 10))
  if (end?.toString('latin1', 4) !== 'ARROW1') {
    throw malformed(file.path, 'does not end as it should')
  }
  const length = end.readInt32LE(0)
  if (!(length > 0 && length <= file.size - 18)) {
    throw malformed(file.path, `its footer would have ${length} bytes, the file has ${file.size}`)
  }
  const last = file.size - 10 - length
  const fail = (what: string) => malformed(file.path, `${what} (footer)`)
  const flat = new Flatbuffer(await file.read(last, length), fail)
  const root = flat.root(footer)
  if (flat.table(root, 1) === undefined) throw fail('has no schema')
  let heads = 0
  for (const [slot, type] of [
    [2, 2],
    [3, 3],
  ] as const) {
    for (const [at] of flat.structs(root, slot, [0], 24) as [number][]) {
      if (!(at >= 0 && at < last)) throw fail(`${kTypes[type]} would be at byte ${at}`)
      const its = await checkMessage(file, at, last)
      if (its?.type !== type) {
        throw fail(`expected ${kTypes[type]} at byte ${at}, it has ${kTypes[its?.type ?? 0]}`)
      }
      heads += its.head
      if (heads > file.size) throw fail('names messages more than once')
    }
  }
}

/** Refuses a file of Arrow, or a stream of it, in which a place or a length cannot be. */
export async function checkArrow(file: InputFile): Promise<void> {
  const start = Buffer.from(await file.read(0, Math.min(file.size, 6))).toString('latin1')
  return start === 'ARROW1' ? checkFooted(file) : checkStream(file)
}
