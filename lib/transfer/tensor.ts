/** Arrays in files: their types, and reading some of their rows as keys or as f32. */
import type { ScanPage } from '../pages.ts'
import { type InputFile, malformed } from './files.ts'

/** Bytes of the types that are known here. */
export const typeBytes = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  u64: 8,
  i32: 4,
  u32: 4,
  i16: 2,
  u16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
} as const
export type TensorType = keyof typeof typeBytes

/** An array in a file, whose bytes the file has. */
export interface Tensor {
  file: InputFile
  /** Of its first byte. */
  offset: number
  /** As here, or by the file's own word when it is not known here. */
  type: TensorType | (string & {})
  shape: readonly number[]
  bigEndian?: boolean
  /** Column after column. */
  fortran?: boolean
  /** For messages: the file and the array's name. */
  where: string
}

/** The product of a shape, or undefined when it is beyond 2^53. */
export function sizeOf(shape: readonly number[]): number | undefined {
  const size = shape.reduce((product, n) => product * n, 1)
  return Number.isSafeInteger(size) ? size : undefined
}

const keyTypes: readonly string[] = ['u64', 'i64', 'u32', 'i32']
const floatTypes: readonly string[] = ['f64', 'f32', 'f16', 'bf16']

/** Refuses what cannot be the keys of a table. */
export function expectKeys(tensor: Tensor): number {
  if (tensor.shape.length !== 1) {
    throw malformed(tensor.where, `expected keys of shape [n], it has [${tensor.shape}]`)
  }
  if (keyTypes.includes(tensor.type)) return tensor.shape[0]!
  throw malformed(tensor.where, `expected keys of ${keyTypes.join(', ')}, it has ${tensor.type}`)
}

/** Refuses what cannot be `count` rows of values; returns their width. */
export function expectRows(tensor: Tensor, count: number): number {
  expectFloats(tensor)
  const [rows, width] = tensor.shape
  if (tensor.shape.length !== 2 || rows !== count) {
    throw malformed(
      tensor.where,
      `expected shape [${count}, values], one row a key, it has [${tensor.shape}]`,
    )
  }
  return width!
}

export function expectFloats(tensor: Tensor): void {
  if (floatTypes.includes(tensor.type)) return
  const types = floatTypes.join(', ')
  throw malformed(tensor.where, `expected values of ${types}, it has ${tensor.type}`)
}

function bytesPerValue(tensor: Tensor): number {
  return typeBytes[tensor.type as TensorType]
}

/** As this machine, which is little-endian, has them. */
function swapped(tensor: Tensor, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (tensor.bigEndian !== true) return bytes
  const buffer = Buffer.from(bytes.buffer)
  const each = bytesPerValue(tensor)
  if (each === 8) buffer.swap64()
  if (each === 4) buffer.swap32()
  if (each === 2) buffer.swap16()
  return bytes
}

/** Values [first, first + count) in the order of the file. */
async function readValues(
  tensor: Tensor,
  first: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const each = bytesPerValue(tensor)
  return swapped(tensor, await tensor.file.read(tensor.offset + first * each, count * each))
}

/** Keys [first, first + count); those of i64 by their bits. */
export async function readKeys(
  tensor: Tensor,
  first: number,
  count: number,
): Promise<BigUint64Array> {
  const { buffer } = await readValues(tensor, first, count)
  if (tensor.type === 'u64' || tensor.type === 'i64') return new BigUint64Array(buffer)
  if (tensor.type === 'u32') return BigUint64Array.from(new Uint32Array(buffer), BigInt)
  return BigUint64Array.from(BigInt64Array.from(new Int32Array(buffer), BigInt), (key) =>
    BigInt.asUintN(64, key),
  )
}

/** f32 of the bits of an f16. */
function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

export function floatsOf(type: string, buffer: ArrayBuffer): Float32Array {
  if (type === 'f32') return new Float32Array(buffer)
  if (type === 'f64') return Float32Array.from(new Float64Array(buffer))
  if (type === 'f16') return Float32Array.from(new Uint16Array(buffer), halfFloat)
  const wide = Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16)
  return new Float32Array(wide.buffer)
}

/** All values of a tensor, row-major. */
export async function readAll(tensor: Tensor): Promise<Float32Array> {
  const columns = tensor.shape.at(-1) ?? 1
  const rows = sizeOf(tensor.shape)! / Math.max(columns, 1)
  if (tensor.fortran !== true || tensor.shape.length < 2) {
    return floatsOf(tensor.type, (await readValues(tensor, 0, rows * columns)).buffer)
  }
  if (tensor.shape.length === 2) return readRows(tensor, 0, rows)
  throw malformed(tensor.where, 'expected row-major order for more than two dimensions')
}

/** Rows [first, first + count) of a tensor of two dimensions: [count * width]. */
export async function readRows(
  tensor: Tensor,
  first: number,
  count: number,
): Promise<Float32Array> {
  const [rows, width] = tensor.shape as [number, number]
  if (tensor.fortran !== true) {
    return floatsOf(tensor.type, (await readValues(tensor, first * width, count * width)).buffer)
  }
  const out = new Float32Array(count * width)
  for (let column = 0; column < width; column++) {
    const part = await readValues(tensor, column * rows + first, count)
    const values = floatsOf(tensor.type, part.buffer)
    for (let i = 0; i < count; i++) out[i * width + column] = values[i]!
  }
  return out
}

/** The arrays of one table, checked against each other. */
export interface TableTensors {
  keys: Tensor
  rows: Tensor
  state: Tensor | undefined
}

/** Pages of a table whose arrays lie apart. */
export async function* tensorPages(
  { keys, rows, state }: TableTensors,
  pageRows: number,
  withState: boolean,
): AsyncGenerator<ScanPage, void, undefined> {
  const total = keys.shape[0]!
  for (let first = 0; first < total; first += pageRows) {
    const count = Math.min(pageRows, total - first)
    const page: ScanPage = {
      keys: await readKeys(keys, first, count),
      rows: await readRows(rows, first, count),
    }
    if (withState && state !== undefined) page.state = await readRows(state, first, count)
    yield page
  }
}
