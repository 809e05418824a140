// Clusters of server processes whose placement is in a real etcd, and trainers whose pushes tell
// what became of them: with the optimizer `sum` each client adds 1 to its own lane of every key, so
// that a row says what was lost and what was applied twice.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ClusterAddress,
  clusterStatus,
  createPlacement,
  open,
  type Store,
  type StoreError,
  sum,
} from 'hotrow'
import * as assert from 'uvu/assert'
import { Registry } from '../../dist/cluster/registry.js'
import { addon } from '../../dist/native.js'
import type { EtcdServer } from '../lib/support/etcd-server.ts'
import { type ServeCommand, serveCommand } from '../lib/support/serve-command.ts'

export const kClients = 2
export const kKeys = 300
export const keys = BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i))

export interface Cluster {
  /** Its members; mostly one. */
  etcd: EtcdServer[]
  address: ClusterAddress
  folder: string
  servers: ServeCommand[]
}

/** Of the servers a and b, in front of folders of these names. Stops all of it, etcd too. */
export async function withCluster(
  etcd: EtcdServer[],
  work: (cluster: Cluster) => Promise<void>,
  leaseMs = 3000,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const address = { etcd: etcd.map(({ url }) => url), cluster: 'faults' }
  const servers: ServeCommand[] = []
  try {
    for (const name of ['a', 'b']) {
      servers.push(await start(address, join(folder, name), leaseMs))
    }
    await createPlacement(address)
    await work({ etcd, address, folder, servers })
  } finally {
    for (const member of etcd) member.signal('SIGCONT')
    for (const { child, ended } of servers) {
      child.kill('SIGKILL')
      await ended
    }
    await Promise.all(etcd.map((member) => member.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

export function start(
  address: ClusterAddress,
  path: string,
  leaseMs = 3000,
  listen = '127.0.0.1:0',
): Promise<ServeCommand> {
  const etcd = [address.etcd].flat().flatMap((url) => ['--etcd', url])
  const flags = [...etcd, '--cluster', address.cluster, '--lease-ms', String(leaseMs)]
  return serveCommand(path, '--listen', listen, ...flags)
}

/** Gives all slots to one server, as an operator's program may once the others' leases are gone. */
export async function giveAll(
  address: ClusterAddress,
  servers: string[],
  to: string,
): Promise<void> {
  const registry = new Registry(address)
  const stored = await registry.placement()
  assert.ok(stored)
  const { epoch } = addon.readPlacement(stored.text)
  const weights = servers.map((server) => (server === to ? 1 : 0))
  const text = addon.makePlacement(epoch + 1, servers, weights)
  assert.ok(await registry.etcd.swap(registry.placementKey, stored.revision, text, 9000))
}

/** Pushes its lane until told to stop; what became of each push. */
export class Pusher {
  readonly acknowledged: number[] = []
  /** Of which nobody knows. */
  unknown = 0
  refused = 0
  #stop = false
  readonly #done: Promise<void>

  constructor(store: Store, lane: number) {
    this.#done = this.#run(store, lane)
  }

  async #run(store: Store, lane: number): Promise<void> {
    const table = await store.table('t', { dim: kClients, optimizer: sum() })
    const gradients = new Float32Array(kKeys * kClients)
    for (let i = 0; i < kKeys; i++) gradients[i * kClients + lane] = 1
    while (!this.#stop) {
      try {
        await table.push(keys, gradients)
        this.acknowledged.push(Date.now())
      } catch (error) {
        if ((error as StoreError).outcome === 'unknown') this.unknown++
        else this.refused++
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop = true
    await this.#done
  }
}

/** The rows that a server has when it has been told to stop, whoever's they are. */
export async function rowsOf(
  server: ServeCommand,
  folder: string,
  name: string,
): Promise<Float32Array> {
  server.child.kill('SIGTERM')
  await server.ended
  await using store = await open(join(folder, name), { readOnly: true })
  return await (await store.table('t')).lookup(keys)
}

/** The servers whose leases hold. */
export async function alive(address: ClusterAddress): Promise<string[]> {
  return (await clusterStatus(address)).members.map(({ server }) => server)
}
