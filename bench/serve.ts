// The process of one contender: does what the harness asks, one message at a time.
// Arguments: the contender's name, the run's scratch folder, the port of its server if it has one.

import { rmSync } from 'node:fs'
import type { RecordableHistogram } from 'node:perf_hooks'
import { type Contender, checkRows, type Load, type Way } from './contender.ts'
import { type ContenderName, type Job, keysOf } from './jobs.ts'
import { batchTime, type Latencies, latencies, newHistogram, recordLatencies } from './measure.ts'

export type Request =
  | { readonly type: 'load'; readonly load: Load }
  | { readonly type: 'prepare'; readonly job: Job; readonly rows: number }
  | { readonly type: 'turn' }
  | { readonly type: 'finish' }
  | { readonly type: 'close' }

/** One operation in one turn. */
export interface Turn {
  readonly operation: string
  readonly batchNs: number
}

/** What is known of an operation after its last turn. */
export interface Finish {
  readonly operation: string
  readonly way: string
  readonly latencies: Latencies
}

export type Reply = { readonly value: unknown } | { readonly error: string }

// Enough to tell which way is faster.
const TRIAL_SAMPLES = 5

let contender: Contender
let chosen: { way: Way; histogram: RecordableHistogram }[] = []

async function make(name: ContenderName, folder: string, port: number): Promise<Contender> {
  if (name === 'hotrow') return new (await import('./ours.ts')).Ours()
  if (name === 'map') return new (await import('./peers/map.ts')).MapPeer()
  if (name === 'lmdb') return new (await import('./peers/lmdb.ts')).LmdbPeer(folder)
  return new (await import('./peers/redis.ts')).RedisPeer(port)
}

/** Keeps the fastest way of each operation, after a look at what it reads. */
async function prepare(job: Job, rows: number): Promise<void> {
  const keys = keysOf(job, rows)
  const best = new Map<string, { way: Way; time: number }>()
  for (const way of await contender.ways(job, keys)) {
    await batchTime(way, TRIAL_SAMPLES)
    checkRows(way, job, keys)
    const time = await batchTime(way, TRIAL_SAMPLES)
    if (time < (best.get(way.operation)?.time ?? Number.POSITIVE_INFINITY)) {
      best.set(way.operation, { way, time })
    }
  }
  chosen = [...best.values()].map(({ way }) => ({ way, histogram: newHistogram() }))
}

async function turn(): Promise<Turn[]> {
  const turns: Turn[] = []
  for (const { way, histogram } of chosen) {
    turns.push({ operation: way.operation, batchNs: await batchTime(way) })
    await recordLatencies(way, histogram)
  }
  return turns
}

function finish(): Finish[] {
  return chosen.map(({ way, histogram }) => ({
    operation: way.operation,
    way: way.name,
    latencies: latencies(histogram),
  }))
}

async function answer(request: Request): Promise<unknown> {
  switch (request.type) {
    case 'load':
      chosen = []
      return contender.load(request.load)
    case 'prepare':
      return prepare(request.job, request.rows)
    case 'turn':
      return turn()
    case 'finish':
      return finish()
    case 'close':
      return contender.close()
  }
}

async function serve(): Promise<void> {
  const [name, folder, port] = process.argv.slice(2)
  if (process.send === undefined || folder === undefined) {
    throw new Error('bench/serve.ts is started by bench/index.ts')
  }
  // The harness ends its contenders; one that ended by itself on Ctrl-C would look broken.
  process.on('SIGINT', () => {})
  // Only a harness that was killed leaves without a word: nothing of the run may stay behind.
  process.on('disconnect', () => {
    void contender.close().finally(() => {
      rmSync(folder, { recursive: true, force: true })
      process.exit()
    })
  })
  contender = await make(name as ContenderName, folder, Number(port))
  process.on('message', (request: Request) => {
    answer(request).then(
      (value) => process.send?.({ value }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : error }),
    )
  })
  process.send({ value: 'ready' })
}

await serve()
