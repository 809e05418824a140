// `npm run bench:versions`: commits beside sequential writing of the same bytes and beside saving
// everything, opening and loading beside sequential reading, pushes beside a commit, and how soon a
// follower has a version. Rounds alternate; a figure is the median of its rounds.

import { createHash } from 'node:crypto'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as zlib from 'node:zlib'
import { adagrad, follow, open, type Store, type Table, uniform } from 'hotrow'
import { outputPath, positiveInteger, readOptions } from '../examples/common/arguments.ts'
import { machine, type Result, writeResults } from '../examples/common/results.ts'
import { decimals, textTable } from '../examples/common/table.ts'
import { quantile } from './measure.ts'
import {
  CHUNK,
  dropFromCache,
  median,
  medianOpening,
  type Opening,
  openAndLoad,
  readSequentially,
  rowFiles,
  seconds,
} from './opening.ts'

const MB = 1e6
const BATCH = 4096
const SHARES = [0.01, 0.1, 1] as const

const options = readOptions({
  command: 'npm run bench:versions --',
  about: 'Times commits, opening and following beside what the disk can do in the same run.',
  options: {
    rows: { value: 'N', help: 'rows of the table (default 1,000,000)' },
    dim: { value: 'N', help: 'values a row, with as many of state (default 32)' },
    rounds: { value: 'N', help: 'rounds of each figure (default 5)' },
    folder: { value: 'PATH', help: 'where to write (default the temporary folder)' },
    json: { value: 'FILE', help: 'write the results there as JSON' },
  },
})
const rows = positiveInteger('rows', options.rows, 1_000_000)
const dim = positiveInteger('dim', options.dim, 32)
const rounds = positiveInteger('rounds', options.rounds, 5)
const jsonPath = options.json === undefined ? undefined : outputPath('json', options.json)
const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'hotrow-bench-'))
const path = join(folder, 's')
const tableOptions = { dim, optimizer: adagrad(), initializer: uniform(0.1) }
const rowBytes = dim * 8
const results: Result[] = []

function note(
  name: string,
  value: number,
  unit: string,
  ratios: Record<string, number> = {},
): void {
  results.push({ name, params: { rows, dim, rounds }, value, unit, ratios })
}

/** Writes so many bytes to a new file and syncs it, in pieces of 1 MiB that are not all alike. */
function writeSequentially(bytes: number): void {
  const piece = Buffer.alloc(CHUNK)
  for (let i = 0; i < CHUNK; i += 32) createHash('sha256').update(`${i}`).digest().copy(piece, i)
  const file = openSync(join(folder, 'sequential'), 'w')
  for (let left = bytes; left > 0; left -= CHUNK) writeSync(file, piece, 0, Math.min(CHUNK, left))
  fdatasyncSync(file)
  closeSync(file)
}

/** A share of the keys, spread over the table; one batch after the other. */
function* batches(share: number): Generator<BigUint64Array> {
  const count = Math.round(rows * share)
  const step = Math.floor(1 / share)
  for (let first = 0; first < count; first += BATCH) {
    const n = Math.min(BATCH, count - first)
    yield BigUint64Array.from({ length: n }, (_, i) => BigInt((first + i) * step))
  }
}

const gradients = new Float32Array(BATCH * dim).fill(0.01)

async function touch(table: Table, share: number): Promise<void> {
  for (const keys of batches(share))
    await table.push(keys, gradients.subarray(0, keys.length * dim))
}

/** As a checkpoint in Python is taken: every row out of the store, and into one file. */
async function saveEverything(table: Table): Promise<void> {
  const file = openSync(join(folder, 'everything'), 'w')
  for await (const page of table.scan({ rows: 1 << 16, state: true })) {
    for (const part of [page.keys, page.rows, page.state as Float32Array]) {
      writeSync(file, new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
    }
  }
  fdatasyncSync(file)
  closeSync(file)
}

async function benchCommits(store: Store, table: Table): Promise<string[][]> {
  const lines: string[][] = []
  for (const share of SHARES) {
    const times: Record<'commit' | 'sequential' | 'everything', number[]> = {
      commit: [],
      sequential: [],
      everything: [],
    }
    let bytes = 0
    for (let round = 0; round < rounds; round++) {
      await touch(table, share)
      times.commit.push(
        await seconds(async () => {
          bytes = (await store.commit()).bytes
        }),
      )
      times.sequential.push(await seconds(() => writeSequentially(bytes)))
      times.everything.push(await seconds(() => saveEverything(table)))
    }
    const changed = Math.round(rows * share) * rowBytes
    const name = `commit/${share * 100}%`
    const rate = bytes / MB / median(times.commit)
    note(name, rate, 'MB/s', {
      'sequential writing': median(times.sequential) / median(times.commit),
      'saving everything': median(times.everything) / median(times.commit),
    })
    note(`${name}/bytes over changed rows`, bytes / changed, 'ratio')
    lines.push([
      name,
      decimals(median(times.commit) * 1000, 1),
      decimals(rate, 0),
      decimals(median(times.sequential) / median(times.commit), 2),
      `${decimals(median(times.everything) / median(times.commit), 1)}×`,
      decimals(bytes / changed, 3),
    ])
  }
  return lines
}

/** Times of single pushes while `beside` goes on, or for a while. */
async function pushTimes(table: Table, beside?: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  let going = true
  const other = beside?.().finally(() => {
    going = false
  })
  const end = performance.now() + 400
  for (let i = 0; beside === undefined ? performance.now() < end : going; i++) {
    const keys = BigUint64Array.from({ length: 256 }, (_, n) => BigInt((i * 7919 + n * 31) % rows))
    const start = performance.now()
    await table.push(keys, gradients.subarray(0, 256 * dim))
    times.push(performance.now() - start)
  }
  await other
  return times
}

async function benchPushes(store: Store, table: Table): Promise<string[]> {
  const alone: number[] = []
  const beside: number[] = []
  for (let round = 0; round < rounds; round++) {
    await touch(table, 1)
    alone.push(quantile(await pushTimes(table), 0.99))
    beside.push(quantile(await pushTimes(table, () => store.commit()), 0.99))
  }
  const ratio = median(beside) / median(alone)
  note('push p99 during a commit', median(beside) * 1000, 'us', { 'without one': ratio })
  return [`push p99 during a commit: ${decimals(ratio, 2)}× its p99 without one`]
}

/** Of a store whose files are in the page cache, or of none of whose files anything is. */
async function benchOpeningFrom(place: 'page cache' | 'disk'): Promise<string[]> {
  const files = rowFiles(path)
  const openings: Opening[] = []
  const plain: number[] = []
  const checked: number[] = []
  let bytes = 0
  const prepare = (): boolean => {
    if (place === 'disk') return dropFromCache(files)
    bytes = readSequentially(files)
    return true
  }
  for (let round = 0; round < rounds; round++) {
    if (!prepare()) return ['opening from disk: `dd` cannot empty the page cache here']
    plain.push(
      await seconds(() => {
        bytes = readSequentially(files)
      }),
    )
    prepare()
    checked.push(await seconds(() => readSequentially(files, zlib.crc32)))
    prepare()
    openings.push(await openAndLoad(path, tableOptions))
  }
  const { opened, first, loaded: loadedMs } = medianOpening(openings)
  const loaded = loadedMs / 1000
  const ratio = median(plain) / loaded
  const checkedRatio = median(checked) / loaded
  note(`open to a table, ${place}`, opened, 'ms')
  note(`open to the first rows, ${place}`, first, 'ms')
  note(`full load, ${place}`, bytes / MB / loaded, 'MB/s', {
    'sequential reading': ratio,
    'sequential reading with CRC-32': checkedRatio,
  })
  return [
    `from the ${place}: open to a table ${decimals(opened, 1)} ms, to the first rows ` +
      `${decimals(first, 1)} ms`,
    `from the ${place}: open to a full load ${decimals(bytes / MB / loaded, 0)} MB/s, ` +
      `${decimals(ratio, 2)} of sequential reading of the same files ` +
      `(${decimals(bytes / MB / median(plain), 0)} MB/s), ` +
      `${decimals(checkedRatio, 2)} of that with CRC-32`,
  ]
}

async function benchFollowing(store: Store, table: Table): Promise<string[]> {
  const ages: number[] = []
  let first = 0
  const committed = new Map<number, number>()
  const follower = await follow(path, {
    onVersion: ({ version }) => {
      // Those that it went past have become readable now, too.
      const passed = [...committed].filter(([number]) => number <= version)
      const now = passed.map(([, at]) => performance.now() - at)
      for (const [number] of passed) committed.delete(number)
      // The first switch waits for all of the rows to be in the follower's memory.
      if (first === 0) first = Math.max(0, ...now)
      else ages.push(...now)
    },
  })
  await (await follower.store.table('t', tableOptions)).lookup(BigUint64Array.of(1n))
  const commits = Math.max(20, rounds * 4)
  for (let i = 0; i < commits; i++) {
    const start = performance.now()
    await touch(table, 0.01)
    const begun = performance.now()
    const next = (await store.version()).version + 1
    committed.set(next, begun)
    await store.commit()
    await new Promise((done) => setTimeout(done, Math.max(0, 1000 - (performance.now() - start))))
  }
  await follower.close()
  const worst = quantile(ages, 0.99)
  note('freshness p99, commit to readable', worst, 'ms')
  note('freshness p50, commit to readable', median(ages), 'ms')
  note('freshness of the first, while the follower loads', first, 'ms')
  return [
    `freshness, from the call of commit to readable at a follower, one commit a second of 1 % ` +
      `of the rows, ${ages.length} versions: p50 ${decimals(median(ages), 0)} ms, ` +
      `p99 ${decimals(worst, 0)} ms; of one committed while the follower still loads ` +
      `${decimals(first, 0)} ms`,
  ]
}

async function main(): Promise<void> {
  const store = await open(path, { keepVersions: 2 })
  const table = await store.table('t', tableOptions)
  await touch(table, 1)
  await store.commit()
  const head = ['', 'ms', 'MB/s', 'of seq. writing', 'saving everything ÷', 'bytes ÷ changed']
  console.log(textTable(head, await benchCommits(store, table)))
  for (const line of await benchPushes(store, table)) console.log(line)
  for (const line of await benchFollowing(store, table)) console.log(line)
  await store.compact()
  await store.close()
  for (const line of await benchOpeningFrom('page cache')) console.log(line)
  for (const line of await benchOpeningFrom('disk')) console.log(line)
  if (jsonPath !== undefined) writeResults(jsonPath, results)
  console.log(
    `${rows} rows of ${rowBytes} bytes, ${rounds} rounds, on ${machine()}, in ${dirname(folder)}`,
  )
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
