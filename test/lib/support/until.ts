// Waiting for what other processes and timers bring about.

import { setTimeout as sleep } from 'node:timers/promises'

export const kWaitMs = 60_000

/** Resolves when it is so; rejects with `what` when it is not within a minute. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  for (const end = Date.now() + kWaitMs; !(await condition()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`not within ${kWaitMs} ms: ${what}`)
  }
}
