// The data folder beside the project, which a checkout may lack: tests that need it say so.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decompressZstd } from 'hyparquet-compressors'
import { kRoot } from '../lib/support/children.ts'

export const kData = join(kRoot, '../shared/data')

/** Why there is no data, or undefined when there is. Prints the reason. */
export function whyNoData(path: string): string | undefined {
  const file = join(kData, path)
  if (existsSync(file)) return undefined
  const reason = `no ../shared/data/${path}`
  console.log(`skip: ${reason}`)
  return reason
}

/** Fields of every line of a compressed text file. */
export function readFields(path: string, separator: string): string[][] {
  const compressed = readFileSync(join(kData, path))
  const text = new TextDecoder().decode(decompressZstd(compressed))
  const lines = text.trimEnd().split('\n')
  return lines.map((line) => line.split(separator))
}
