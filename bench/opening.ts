// What benchmarks of stores on disk share: opening one until all of its rows are there, and reading
// its files beside that.

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { open, type StoreOptions, type Table, type TableOptions } from 'hotrow'
import { quantile } from './measure.ts'

/** Bytes that are read or written at once. */
export const CHUNK: number = 1 << 20

/** Milliseconds since the call of `open`. */
export interface Opening {
  readonly opened: number
  readonly first: number
  readonly loaded: number
}

/** Asking counts rows, which takes its time of large tables: no more than a tenth of it all. */
async function untilWarm(table: Table): Promise<void> {
  for (;;) {
    const asked = performance.now()
    if ((await table.stats()).coldRows === 0) return
    const pause = Math.max(1, 9 * (performance.now() - asked))
    await new Promise((done) => setTimeout(done, pause))
  }
}

/** Opens a store with a table 't' and waits until all of its rows are in memory. */
export async function openAndLoad(
  path: string,
  tableOptions: TableOptions,
  options: StoreOptions = {},
): Promise<Opening> {
  const start = performance.now()
  const store = await open(path, options)
  const table = await store.table('t', tableOptions)
  const opened = performance.now() - start
  await table.lookup(BigUint64Array.of(1n, 2n, 3n))
  const first = performance.now() - start
  await untilWarm(table)
  const loaded = performance.now() - start
  await store.close()
  return { opened, first, loaded }
}

/** Each time's median. */
export function medianOpening(openings: readonly Opening[]): Opening {
  return {
    opened: median(openings.map(({ opened }) => opened)),
    first: median(openings.map(({ first }) => first)),
    loaded: median(openings.map(({ loaded }) => loaded)),
  }
}

/** The sorted files of a store that is closed. */
export function rowFiles(path: string): string[] {
  const rows = join(path, 'rows')
  const names = readdirSync(rows).filter((name) => name.endsWith('.sst'))
  return names.map((name) => join(rows, name))
}

/** Reads the files one after the other in pieces of 1 MiB; gives their bytes. */
export function readSequentially(
  files: readonly string[],
  check?: (piece: Uint8Array) => unknown,
): number {
  const piece = Buffer.alloc(CHUNK)
  let bytes = 0
  for (const name of files) {
    const file = openSync(name, 'r')
    for (let n = 1; n > 0; bytes += n) {
      n = readSync(file, piece, 0, CHUNK, null)
      check?.(piece.subarray(0, n))
    }
    closeSync(file)
  }
  return bytes
}

/** Makes the system forget what it has of the files, by posix_fadvise; false where `dd` cannot. */
export function dropFromCache(files: readonly string[]): boolean {
  try {
    for (const file of files) {
      execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
    }
    return true
  } catch {
    return false
  }
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** How long some work takes. */
export async function seconds(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}
