/** How rows begin. The row of a key is a function of (seed, key), the same on every machine. */
import type { InitializerOptions } from './options.ts'

/** Rows begin as zeros. */
export function zeros(): InitializerOptions {
  return { kind: 'zeros' }
}

/** Rows begin as `value` everywhere. */
export function constant(value: number): InitializerOptions {
  return { kind: 'constant', value }
}

/** Values drawn from [-limit, limit), or from [low, high). */
export function uniform(limit: number): InitializerOptions
export function uniform(low: number, high: number): InitializerOptions
export function uniform(first: number, high?: number): InitializerOptions {
  return high === undefined
    ? { kind: 'uniform', low: -first, high: first }
    : { kind: 'uniform', low: first, high }
}

/** Values drawn from a normal distribution. */
export function normal(stddev: number, mean = 0): InitializerOptions {
  return { kind: 'normal', stddev, mean }
}

/** As `normal`, with nothing beyond two standard deviations of the mean. */
export function truncatedNormal(stddev: number, mean = 0): InitializerOptions {
  return { kind: 'truncatedNormal', stddev, mean }
}
