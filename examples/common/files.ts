// Finds and reads the text files of a data set, plain or compressed with zstd.

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { decompressZstd } from 'hyparquet-compressors'

/**
 * The folder that holds all of `names`: `folder` itself, or `set` inside it. Throws an error that
 * says what is missing.
 */
export function dataFolder(folder: string, set: string, names: readonly string[]): string {
  const candidates = [resolve(folder), resolve(folder, set)]
  const found = candidates.find((path) => names.every((name) => fileIn(path, name) !== undefined))
  if (found !== undefined) return found
  if (!existsSync(folder)) throw new Error(`no such folder: ${resolve(folder)}`)
  const expected = names.map((name) => `${name} (or ${name}.zst)`).join(' and ')
  throw new Error(`expected ${expected} in ${candidates.join(' or ')}`)
}

/** The bytes of a file, decompressed when only its .zst is there. */
export function readData(folder: string, name: string): Uint8Array {
  const path = fileIn(folder, name)
  if (path === undefined) throw new Error(`no such file: ${join(folder, name)}`)
  const bytes = readFileSync(path)
  if (!path.endsWith('.zst')) return bytes
  try {
    // Node 20 has no zstd of its own.
    return decompressZstd(bytes)
  } catch (error) {
    throw new Error(`${path} is not a whole zstd file: ${(error as Error).message}`)
  }
}

function fileIn(folder: string, name: string): string | undefined {
  return [name, `${name}.zst`].map((file) => join(folder, file)).find((path) => existsSync(path))
}
