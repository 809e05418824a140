// Files as other programs write them, by the documented formats and not by our own writers.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const bytesOf = (array: ArrayBufferView): Buffer =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength)

/** A safetensors file: a length, that much header, the data. */
export function safetensorsOf(header: string | object, data: Uint8Array, length?: bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length ?? BigInt(text.length))
  return Buffer.concat([prefix, text, data])
}

/** [dtype, shape, data] by name, in the order in which they lie. */
export function tensorsOf(
  tensors: Record<string, [string, number[], ArrayBufferView]>,
  metadata?: Record<string, string>,
): Buffer {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {}
  let at = 0
  for (const [name, [dtype, shape, data]] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.byteLength] }
    at += data.byteLength
  }
  // As the Rust writer does: spaces up to a multiple of 8.
  const text = JSON.stringify(header)
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8)
  return safetensorsOf(padded, Buffer.concat(Object.values(tensors).map(([, , d]) => bytesOf(d))))
}

/** What numpy.save writes: header padded so that data begin on a multiple of 64. */
export function npyOf(
  descr: string,
  shape: readonly number[],
  data: ArrayBufferView,
  { version = 1, fortran = false }: { version?: 1 | 2 | 3; fortran?: boolean } = {},
): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const order = fortran ? 'True' : 'False'
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${tuple}, }`
  const prefix = version === 1 ? 10 : 12
  const length = Math.ceil((prefix + text.length + 1) / 64) * 64 - prefix
  const start = Buffer.alloc(prefix)
  start.write('\x93NUMPY', 'latin1')
  start[6] = version
  if (version === 1) start.writeUInt16LE(length, 8)
  else start.writeUInt32LE(length, 8)
  const header = `${text.padEnd(length - 1)}\n`
  return Buffer.concat([start, Buffer.from(header), bytesOf(data)])
}

export function writeFolder(path: string, files: Record<string, ArrayBufferView>): string {
  mkdirSync(path, { recursive: true })
  for (const [name, data] of Object.entries(files)) writeFileSync(join(path, name), bytesOf(data))
  return path
}

/** f16 bits of small integers. */
export function halves(...values: number[]): Uint16Array {
  return Uint16Array.from(values, (value) => {
    if (value === 0) return 0
    const exponent = Math.floor(Math.log2(Math.abs(value)))
    const fraction = Math.abs(value) / 2 ** exponent - 1
    return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | (fraction * 1024)
  })
}

/** bf16 bits of values that are bf16. */
export function brains(...values: number[]): Uint16Array {
  return Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (x) => x >>> 16)
}
