// Taking times inside a contender's process: operations with `benchmark`, latencies one call at a
// time into a histogram.

import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks'
import Benchmark from 'benchmark'
import type { Way } from './contender.ts'

// benchmark's own minimum of 50 ms a sample would make a round last 1.5 s. Its clock counts
// nanoseconds, so that 2 ms are still exact to a thousandth.
const SAMPLE_S = 0.002
const SAMPLES = 30

const LATENCY_MS = 50
const LATENCY_CALLS = { least: 20, most: 20_000 }

export interface Latencies {
  readonly calls: number
  /** Nanoseconds; undefined where too few calls lie beyond the percentile to know it. */
  readonly percentiles: Readonly<Record<string, number | undefined>>
}
export const PERCENTILES = { p50: 50, p99: 99, 'p99.9': 99.9 } as const

/** Nanoseconds a batch takes by `way`: the median of at least 30 samples. */
export async function batchTime(way: Way): Promise<number> {
  const samples = await sample(way, SAMPLES)
  return (median(samples) * 1e9) / way.batches
}

/** As `batchTime`, roughly, to choose between ways. */
export async function roughBatchTime(way: Way): Promise<number> {
  const samples = await sample(way, 5)
  return (median(samples) * 1e9) / way.batches
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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** Seconds a run of each sample. */
function sample(way: Way, minSamples: number): Promise<number[]> {
  const { promise, resolve, reject } = deferredPromise<number[]>()
  const options = { minSamples, minTime: SAMPLE_S, maxTime: 0, delay: 0, initCount: 1 }
  const first = way.run()
  const bench = new Benchmark({
    ...options,
    ...(first instanceof Promise
      ? { defer: true, fn: deferredRun(way.run as () => Promise<void>, reject) }
      : { fn: way.run }),
    onError: () => reject(bench.error),
    onComplete: () => resolve(bench.stats.sample as number[]),
  })
  Promise.resolve(first).then(() => bench.run({ async: first instanceof Promise }), reject)
  return promise
}

function deferredRun(run: () => Promise<void>, reject: (error: unknown) => void) {
  return (deferred: { resolve(): void }) => {
    run().then(() => deferred.resolve(), reject)
  }
}

function deferredPromise<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((accept, refuse) => {
    resolve = accept
    reject = refuse
  })
  return { promise, resolve, reject }
}
