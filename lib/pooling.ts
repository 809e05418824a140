/** How a bag's rows become one: options of pooled calls. */
import { checkCallOptions, checkChoice } from './checks.ts'

/** How the rows of a bag become one. */
export interface PoolingOptions {
  /**
   * `sum` (default); `mean`: divided by the sum of the weights; `sqrtn`: divided by the root of
   * the sum of their squares. Without weights each counts 1. An empty bag pools to zeros.
   */
  mode?: 'sum' | 'mean' | 'sqrtn'
  /** [n] one weight a key. */
  weights?: Float32Array
}

const modes = ['sum', 'mean', 'sqrtn']

/** The mode as the addon knows it; checks the names of all options. */
export function modeOf(options: PoolingOptions | undefined, known: readonly string[]): number {
  checkCallOptions(options, known)
  const mode = options?.mode
  return mode === undefined ? 0 : checkChoice('mode', mode, modes)
}
