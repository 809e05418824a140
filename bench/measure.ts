// Taking times inside a contender's process: operations with `benchmark`, latencies one call at a
// time into a histogram.

import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks'
import Benchmark from 'benchmark'
import type { Way } from './contender.ts'

// A sample is one call of a loop that lasts about this long. benchmark's own way, to raise the
// count of calls until a sample lasts 50 ms, drops the fast samples and keeps the slow ones where
// other programs disturb; it also compiles code before each sample, which a loop outlasts.
const SAMPLE_MS = 1
const SAMPLES = 30
// A turn comes after other contenders' turns, with their data in the caches and this process
// asleep: what follows is measured at work, not while waking up. For every contender alike.
const WARM_MS = 50
// Seconds; so little that no sample is ever too short.
const NO_MINIMUM = 1e-9

const LATENCY_MS = 50
const LATENCY_CALLS = { least: 10, most: 20_000 }

export interface Latencies {
  readonly calls: number
  /** Nanoseconds; undefined where too few calls lie beyond the percentile to know it. */
  readonly percentiles: Readonly<Record<string, number | undefined>>
}
export const PERCENTILES = { p50: 50, p99: 99, 'p99.9': 99.9 } as const

/**
 * Nanoseconds a batch takes by `way`: the lower quartile of `samples` samples, for every contender
 * alike. What else runs on the machine only ever adds time, and on a busy one it adds to most.
 */
export async function batchTime(way: Way, samples = SAMPLES): Promise<number> {
  await warmUp(way)
  const { calls, async } = await callsASample(way)
  const seconds = await (async
    ? asyncSamples(way, calls, samples)
    : syncSamples(way, calls, samples))
  return (quantile(seconds, 0.25) * 1e9) / (calls * way.batches)
}

async function warmUp({ run }: Way): Promise<void> {
  const end = performance.now() + WARM_MS
  while (performance.now() < end) {
    const pending = run()
    if (pending !== undefined) await pending
  }
}

/** Records the nanoseconds of single calls, for a while. */
export async function recordLatencies(way: Way, histogram: RecordableHistogram): Promise<void> {
  const call = way.once ?? way.run
  const end = performance.now() + LATENCY_MS
  for (let calls = 0; calls < LATENCY_CALLS.most; calls++) {
    const start = performance.now()
    const pending = call()
    if (pending !== undefined) await pending
    const stop = performance.now()
    histogram.record(Math.max(1, Math.round((stop - start) * 1e6)))
    if (stop > end && calls >= LATENCY_CALLS.least) break
  }
}

export function newHistogram(): RecordableHistogram {
  return createHistogram({ figures: 3 })
}

export function latencies(histogram: RecordableHistogram): Latencies {
  const known = Object.entries(PERCENTILES).map(([name, percent]) => [
    name,
    histogram.count * (1 - percent / 100) >= 1 ? histogram.percentile(percent) : undefined,
  ])
  return { calls: histogram.count, percentiles: Object.fromEntries(known) }
}

/** Between the two nearest values where it falls between. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const place = fraction * (sorted.length - 1)
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place % 1)
}

/**
 * How many calls last about a sample, and whether they are to be awaited. By the fastest of a short
 * run: after one that was disturbed, samples would be too short to outlast the waking of threads.
 */
async function callsASample({ run }: Way): Promise<{ calls: number; async: boolean }> {
  const end = performance.now() + SAMPLE_MS
  let fastest = SAMPLE_MS
  for (;;) {
    const start = performance.now()
    const pending = run()
    if (pending !== undefined) await pending
    const stop = performance.now()
    fastest = Math.min(fastest, stop - start)
    if (stop < end) continue
    return { calls: Math.ceil(SAMPLE_MS / fastest), async: pending !== undefined }
  }
}

/** Seconds of each sample. */
function syncSamples({ run }: Way, calls: number, minSamples: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const fn = () => {
      for (let i = 0; i < calls; i++) void run()
    }
    start({ fn, minSamples }, resolve, reject)
  })
}

function asyncSamples({ run }: Way, calls: number, minSamples: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const loop = async () => {
      for (let i = 0; i < calls; i++) await run()
    }
    const fn = (deferred: { resolve(): void }) => {
      loop().then(() => deferred.resolve(), reject)
    }
    start({ fn, minSamples, defer: true }, resolve, reject)
  })
}

function start(
  options: Benchmark.Options,
  resolve: (seconds: number[]) => void,
  reject: (error: unknown) => void,
): void {
  const bench = new Benchmark({
    ...options,
    ...{ minTime: NO_MINIMUM, maxTime: 0, delay: 0, initCount: 1 },
    onError: () => reject(bench.error),
    onComplete: () => resolve(bench.stats.sample),
  })
  bench.run({ async: options.defer === true })
}
