/** A client's way to a cluster: the placement that etcd has, now and whenever it changes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NativeStore } from '../addon.ts'
import { callError } from '../errors.ts'
import { type ClusterAddress, placementOf, Registry } from './registry.ts'
import { Watcher } from './watcher.ts'

const pauseMs = 50
/** Between looks without a reason; servers tell of newer placements, too. */
const periodMs = 10_000

/** The placement's text and its servers, waited for until there is one. */
export async function firstPlacement(
  registry: Registry,
  timeoutMs: number,
): Promise<{ text: string; servers: string[] }> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const stored = await registry.placement(Math.max(end - Date.now(), 1))
    if (stored !== undefined) {
      const { servers } = placementOf(stored.text)
      return { text: stored.text, servers: servers.map(({ server }) => server) }
    }
    if (Date.now() + pauseMs >= end) {
      throw callError('ERR_NOT_FOUND', `cluster '${registry.cluster}' has no placement yet`)
    }
    await sleep(pauseMs)
  }
}

/** Tells a store of every later placement, until the function that it gives is called. */
export function followPlacement(registry: Registry, native: NativeStore): () => void {
  let stopped = false
  const look = async (): Promise<void> => {
    try {
      const stored = await registry.placement()
      if (stored !== undefined && !stopped) native.setPlacement(stored.text)
    } catch {
      // The store goes on with what it has, and hears of newer ones from the servers.
    }
  }
  const watcher = new Watcher(registry.etcd, registry.placementKey, periodMs, look)
  return () => {
    stopped = true
    watcher.stop()
  }
}

export { type ClusterAddress, Registry }
