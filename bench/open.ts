// `npm run bench:open`: how soon a store of many rows opens, in a new process each time, and how
// fast all of its rows come then, beside sequential reading of the same files.

import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open, sgd, zeros } from 'hotrow'
import { outputPath, positiveInteger, readOptions } from '../examples/common/arguments.ts'
import { writeResults } from '../examples/common/results.ts'
import { decimals } from '../examples/common/table.ts'
import { quantile } from './measure.ts'

const BATCH = 1_000_000
const CHUNK = 1 << 20
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

interface Opening {
  readonly opened: number
  readonly first: number
  readonly loaded: number
}

async function openOnce(path: string): Promise<Opening> {
  const start = performance.now()
  const store = await open(path, { memoryBytes })
  const table = await store.table('t', tableOptions)
  const opened = performance.now() - start
  await table.lookup(BigUint64Array.of(1n, 2n, 3n))
  const first = performance.now() - start
  while ((await table.stats()).coldRows > 0) await new Promise((done) => setTimeout(done, 1))
  const loaded = performance.now() - start
  await store.close()
  return { opened, first, loaded }
}

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
  const start = performance.now()
  await store.commit()
  console.log(`commit of all rows: ${decimals((performance.now() - start) / 1000, 1)} s`)
  await store.close()
}

/** MB/s of reading the files one after the other. */
function sequentialRate(files: readonly string[]): number {
  const piece = Buffer.alloc(CHUNK)
  const start = performance.now()
  let bytes = 0
  for (const name of files) {
    const file = openSync(name, 'r')
    for (let n = 1; n > 0; bytes += n) n = readSync(file, piece, 0, CHUNK, null)
    closeSync(file)
  }
  return bytes / 1000 / (performance.now() - start)
}

const median = (values: readonly number[]): number => quantile(values, 0.5)

async function bench(): Promise<void> {
  const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'hotrow-bench-'))
  try {
    const path = join(folder, 's')
    await make(path)
    const database = join(path, 'rows')
    const names = readdirSync(database).filter((name) => name.endsWith('.sst'))
    const files = names.map((name) => join(database, name))
    const megabytes = files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6
    console.log(`${rows} rows in ${files.length} files, ${decimals(megabytes, 0)} MB`)
    const openings: Opening[] = []
    const rates: number[] = []
    for (let round = 0; round < rounds; round++) {
      rates.push(sequentialRate(files))
      const arguments_ = ['--import', 'tsx', fileURLToPath(import.meta.url), '--opens', path]
      arguments_.push('--rows', String(rows), '--dim', String(dim))
      const printed = execFileSync(process.execPath, arguments_, { encoding: 'utf8' })
      openings.push(JSON.parse(printed))
    }
    const opened = median(openings.map((each) => each.opened))
    const first = median(openings.map((each) => each.first))
    const loaded = median(openings.map((each) => each.loaded))
    const rate = (megabytes / loaded) * 1000
    const ratio = rate / median(rates)
    console.log(
      `open to a table ${decimals(opened, 1)} ms, to the first rows ${decimals(first, 1)} ms, ` +
        `to all of them ${decimals(loaded, 0)} ms: ${decimals(rate, 0)} MB/s, ` +
        `${decimals(ratio, 2)} of sequential reading (${decimals(median(rates), 0)} MB/s)`,
    )
    if (jsonPath === undefined) return
    const params = { rows, dim, rounds }
    const result = (name: string, value: number, unit: string, ratios = {}) => {
      return { name, params, value, unit, ratios }
    }
    writeResults(jsonPath, [
      result('open to a table', opened, 'ms'),
      result('open to the first rows', first, 'ms'),
      result('full load', rate, 'MB/s', { 'sequential reading': ratio }),
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (options.opens !== undefined) console.log(JSON.stringify(await openOnce(options.opens)))
else await bench()
