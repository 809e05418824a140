// `npm run bench:open`: how soon a store of many rows opens, in a new process each time, and how
// fast all of its rows come then, from the page cache and from the disk, beside sequential reading
// of the same files.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open, sgd, zeros } from 'hotrow'
import { outputPath, positiveInteger, readOptions } from '../examples/common/arguments.ts'
import { type Result, writeResults } from '../examples/common/results.ts'
import { decimals } from '../examples/common/table.ts'
import {
  dropFromCache,
  median,
  medianOpening,
  type Opening,
  openAndLoad,
  readSequentially,
  rowFiles,
  seconds,
} from './opening.ts'

const BATCH = 1_000_000
const options = readOptions({
  command: 'npm run bench:open --',
  about: 'Times opening a store of many rows, and its full load, in new processes.',
  options: {
    rows: { value: 'N', help: 'rows of the table (default 10,000,000)' },
    dim: { value: 'N', help: 'values a row (default 4)' },
    rounds: { value: 'N', help: 'openings (default 5)' },
    folder: { value: 'PATH', help: 'where to write (default the temporary folder)' },
    json: { value: 'FILE', help: 'write the results there as JSON' },
    opens: { value: 'PATH', help: 'opens this store once and prints its times (for itself)' },
  },
})
const rows = positiveInteger('rows', options.rows, 10_000_000)
const dim = positiveInteger('dim', options.dim, 4)
const rounds = positiveInteger('rounds', options.rounds, 5)
const jsonPath = options.json === undefined ? undefined : outputPath('json', options.json)
const memoryBytes = rows * (dim * 4 + 64) + 2 ** 30
const tableOptions = { dim, optimizer: sgd(), initializer: zeros() }

async function make(path: string): Promise<void> {
  const store = await open(path, { memoryBytes })
  const table = await store.table('t', tableOptions)
  await table.reserve(rows)
  const keys = new BigUint64Array(Math.min(BATCH, rows))
  const gradients = new Float32Array(keys.length * dim).fill(-1)
  for (let first = 0; first < rows; first += keys.length) {
    for (let i = 0; i < keys.length; i++) keys[i] = BigInt(first + i)
    const count = Math.min(keys.length, rows - first)
    await table.push(keys.subarray(0, count), gradients.subarray(0, count * dim))
  }
  const took = await seconds(() => store.commit())
  console.log(`commit of all rows: ${decimals(took, 1)} s`)
  await store.close()
}

/** In turn: the files read one after the other, and a new process that opens the store. */
async function openFrom(
  place: 'page cache' | 'disk',
  path: string,
  files: readonly string[],
  megabytes: number,
): Promise<Result[]> {
  const openings: Opening[] = []
  const readings: number[] = []
  const prepare = () => (place === 'disk' ? dropFromCache(files) : readSequentially(files))
  const arguments_ = ['--import', 'tsx', fileURLToPath(import.meta.url), '--opens', path]
  arguments_.push('--rows', String(rows), '--dim', String(dim))
  for (let round = 0; round < rounds; round++) {
    prepare()
    readings.push(await seconds(() => readSequentially(files)))
    prepare()
    openings.push(JSON.parse(execFileSync(process.execPath, arguments_, { encoding: 'utf8' })))
  }
  const { opened, first, loaded } = medianOpening(openings)
  const rate = (megabytes / loaded) * 1000
  const reading = megabytes / median(readings)
  console.log(
    `from the ${place}: open to a table ${decimals(opened, 1)} ms, to the first rows ` +
      `${decimals(first, 1)} ms, to all of them ${decimals(loaded, 0)} ms: ${decimals(rate, 0)} ` +
      `MB/s, ${decimals(rate / reading, 2)} of sequential reading (${decimals(reading, 0)} MB/s)`,
  )
  const result = (name: string, value: number, unit: string, ratios = {}): Result => {
    return { name: `${name}, ${place}`, params: { rows, dim, rounds }, value, unit, ratios }
  }
  return [
    result('open to a table', opened, 'ms'),
    result('open to the first rows', first, 'ms'),
    result('full load', rate, 'MB/s', { 'sequential reading': rate / reading }),
  ]
}

async function bench(): Promise<void> {
  const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'hotrow-bench-'))
  try {
    const path = join(folder, 's')
    await make(path)
    const files = rowFiles(path)
    const megabytes = files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6
    console.log(`${rows} rows in ${files.length} files, ${decimals(megabytes, 0)} MB`)
    const results: Result[] = []
    for (const place of ['page cache', 'disk'] as const) {
      if (place === 'disk' && !dropFromCache(files)) {
        console.log('from the disk: `dd` cannot empty the page cache here')
      } else {
        results.push(...(await openFrom(place, path, files, megabytes)))
      }
    }
    if (jsonPath !== undefined) writeResults(jsonPath, results)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (options.opens === undefined) await bench()
else console.log(JSON.stringify(await openAndLoad(options.opens, tableOptions, { memoryBytes })))
