// `npm run bench:remote`: a batch of misses from the tier on Redis Cluster beside one GET a key, on
// the same six servers in the same run. Rounds alternate; a ratio is that of the medians.

import {
  importVersion,
  open,
  type RedisClusterTier,
  redisClusterTier,
  type Table,
  tieredTable,
} from 'hotrow'
import { Cluster } from 'ioredis'
import {
  outputPath,
  positiveInteger,
  readOptions,
  wrongUsage,
} from '../examples/common/arguments.ts'
import { machine, type Result, writeResults } from '../examples/common/results.ts'
import { decimals, textTable, whole } from '../examples/common/table.ts'
import { randomNumbers } from '../test/lib/support/arrays.ts'
import { noRedis, RedisServers } from '../test/lib/support/redis-servers.ts'

const DIM = 64
const CHUNK_ROWS = 2048

const options = readOptions({
  command: 'npm run bench:remote --',
  about: 'Times batches of misses from Redis Cluster, beside one GET a key on the same cluster.',
  options: {
    rows: { value: 'N', help: 'rows in the cluster (default 200,000)' },
    batch: { value: 'N', help: 'keys a batch (default 1,024)' },
    rounds: { value: 'N', help: 'rounds of each way (default 200)' },
    json: { value: 'FILE', help: 'write the results there as JSON' },
  },
})
const rows = positiveInteger('rows', options.rows, 200_000)
const batch = positiveInteger('batch', options.batch, 1024)
const rounds = positiveInteger('rounds', options.rounds, 200)
const jsonPath = options.json === undefined ? undefined : outputPath('json', options.json)
const missing = noRedis()
if (missing !== undefined) wrongUsage(missing)

/** A way to read a batch of keys into an output. */
interface Way {
  readonly name: string
  readonly what: string
  run(keys: BigUint64Array, out: Float32Array): Promise<unknown>
}

const next = randomNumbers(1)
const draw = (): BigUint64Array =>
  BigUint64Array.from({ length: batch }, () => BigInt(Math.floor(next() * rows)))

/** The same rows as strings, a key each. */
async function loadStrings(client: Cluster): Promise<void> {
  for (let first = 0; first < rows; first += CHUNK_ROWS) {
    const count = Math.min(CHUNK_ROWS, rows - first)
    const sets = Array.from({ length: count }, (_, i) =>
      client.set(`k${first + i}`, Buffer.from(new Float32Array(DIM).fill(first + i).buffer)),
    )
    await Promise.all(sets)
  }
}

async function fill(table: Table): Promise<void> {
  for (let first = 0; first < rows; first += CHUNK_ROWS) {
    const count = Math.min(CHUNK_ROWS, rows - first)
    const keys = BigUint64Array.from({ length: count }, (_, i) => BigInt(first + i))
    const values = Float32Array.from({ length: count * DIM }, (_, i) => first + Math.floor(i / DIM))
    await table.update(keys, values)
  }
}

function gets(name: string, what: string, client: Cluster): Way {
  const run = async (keys: BigUint64Array, out: Float32Array): Promise<void> => {
    const bytes = Buffer.from(out.buffer)
    const found = await Promise.all(Array.from(keys, (key) => client.getBuffer(`k${key}`)))
    for (const [i, row] of found.entries()) bytes.set(row as Buffer, i * DIM * 4)
  }
  return { name, what, run }
}

function ours(local: Table, tier: RedisClusterTier): Way[] {
  const view = tieredTable(local, tier, { promoteAfter: 0, timeoutMs: 10_000 })
  const raw = async (keys: BigUint64Array, out: Float32Array): Promise<void> => {
    const bytes = Buffer.from(out.buffer)
    const found = await tier.getMany('t', keys)
    for (const [i, row] of found.entries()) bytes.set(row as Uint8Array, i * DIM * 4)
  }
  const lookup = (keys: BigUint64Array, out: Float32Array): Promise<unknown> => {
    return view.lookup(keys, { out })
  }
  return [
    { name: 'tier.getMany', what: 'HMGET by buckets', run: raw },
    { name: 'tieredTable.lookup', what: 'the same, all keys missed locally', run: lookup },
  ]
}

function checkRows(keys: BigUint64Array, out: Float32Array, name: string): void {
  for (const [i, key] of keys.entries()) {
    if (out[i * DIM] !== Number(key)) throw new Error(`${name}: a wrong row of key ${key}`)
  }
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1] as number
}

async function measure(ways: readonly Way[]): Promise<Map<string, number>> {
  const times = new Map<string, number[]>(ways.map(({ name }) => [name, []]))
  const out = new Float32Array(batch * DIM)
  for (let round = -10; round < rounds; round++) {
    for (const { name, run } of ways) {
      const keys = draw()
      const started = performance.now()
      await run(keys, out)
      const took = performance.now() - started
      checkRows(keys, out, name)
      if (round >= 0) times.get(name)?.push(took)
    }
  }
  return new Map([...times].map(([name, all]) => [name, median(all)]))
}

function report(ways: readonly Way[], medians: Map<string, number>, importMs: number): void {
  const [plain, piped] = ways as [Way, Way]
  const of = (name: string): number => medians.get(name) as number
  const lines = ways.map(({ name, what }) => [
    `${name} (${what})`,
    decimals(of(name), 2),
    whole((batch / of(name)) * 1000),
    decimals(of(plain.name) / of(name), 2),
    decimals(of(piped.name) / of(name), 2),
  ])
  const head = [`batch of ${whole(batch)}, dim ${DIM}`, 'ms', 'keys/s', '÷ GET', '÷ piped GET']
  console.log(`${machine()}\n\n${textTable(head, lines)}\n`)
  console.log(`importVersion: ${whole(rows)} rows, ${whole((rows / importMs) * 1000)} rows/s`)
  if (jsonPath === undefined) return
  const params = { batch, dim: DIM, rows }
  const results = ways.slice(2).map(({ name }): Result => {
    const ratios = { get: of(plain.name) / of(name), pipedGet: of(piped.name) / of(name) }
    return { name, params, value: of(name), unit: 'ms', ratios }
  })
  const value = (rows / importMs) * 1000
  results.push({ name: 'importVersion', params, value, unit: 'rows/s', ratios: {} })
  writeResults(jsonPath, results)
}

const servers = await RedisServers.start()
try {
  await using store = await open(':memory:')
  const full = await store.table('t', { dim: DIM })
  await fill(full)
  const tier = await redisClusterTier({ nodes: servers.nodes, prefix: 'bench', timeoutMs: 10_000 })
  const started = performance.now()
  await importVersion([full], tier, { version: 1 })
  const importMs = performance.now() - started
  await store.drop('t')
  const local = await store.table('t', { dim: DIM })
  const plain = new Cluster(servers.nodes)
  const piped = new Cluster(servers.nodes, { enableAutoPipelining: true })
  await loadStrings(plain)
  const ways = [
    gets('GET', 'one a key, all at once', plain),
    gets('piped GET', 'one a key, pipelined by ioredis', piped),
    ...ours(local, tier),
  ]
  report(ways, await measure(ways), importMs)
  plain.disconnect()
  piped.disconnect()
  await tier.close()
} finally {
  await servers.stop()
}
