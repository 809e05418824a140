// Guarantees C1 and C3 with real processes and a real etcd: a server that was away beyond its lease
// and whose slots are another's by then, servers that are killed, and an etcd that hangs.
// Vector-clock rows judge: with the optimizer `sum` each client adds 1 to its own lane of every
// key, so that a row says what was lost and what was applied twice.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ClusterAddress,
  clusterStatus,
  connect,
  createPlacement,
  open,
  type Store,
  type StoreError,
  sum,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Registry } from '../../dist/cluster/registry.js'
import { addon } from '../../dist/native.js'
import { EtcdServer, noEtcd } from '../lib/support/etcd-server.ts'
import { type ServeCommand, serveCommand } from '../lib/support/serve-command.ts'

const why = noEtcd()
if (why !== undefined) console.log(`skipped: ${why}`)
const test = suite('placement')
const real = why === undefined ? test : test.skip

const kClients = 2
const kKeys = 300
const kWaitMs = 60_000
const keys = BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i))

interface Cluster {
  etcd: EtcdServer
  address: ClusterAddress
  folder: string
  servers: ServeCommand[]
}

async function withCluster(work: (cluster: Cluster) => Promise<void>): Promise<void> {
  const etcd = await EtcdServer.start()
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const address = { etcd: etcd.url, cluster: 'faults' }
  const servers: ServeCommand[] = []
  try {
    for (const name of ['a', 'b']) servers.push(await start(address, join(folder, name)))
    await createPlacement(address)
    await work({ etcd, address, folder, servers })
  } finally {
    etcd.signal('SIGCONT')
    for (const { child, ended } of servers) {
      child.kill('SIGKILL')
      await ended
    }
    await etcd.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function start(address: ClusterAddress, path: string, listen = '127.0.0.1:0') {
  const flags = ['--etcd', String(address.etcd), '--cluster', address.cluster]
  return serveCommand(path, '--listen', listen, '--lease-ms', '3000', ...flags)
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + kWaitMs; !(await condition()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`not within ${kWaitMs} ms: ${what}`)
  }
}

/** Gives all slots to one server, as an operator's program may once the others' leases are gone. */
async function giveAll(address: ClusterAddress, servers: string[], to: string): Promise<void> {
  const registry = new Registry(address)
  const stored = await registry.placement()
  assert.ok(stored)
  const { epoch } = addon.readPlacement(stored.text)
  const weights = servers.map((server) => (server === to ? 1 : 0))
  const text = addon.makePlacement(epoch + 1, servers, weights)
  assert.ok(await registry.etcd.swap(registry.placementKey, stored.revision, text, kWaitMs))
}

/** Pushes its lane until told to stop; what became of each push. */
class Pusher {
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
async function rowsOf(server: ServeCommand, folder: string, name: string): Promise<Float32Array> {
  server.child.kill('SIGTERM')
  await server.ended
  await using store = await open(join(folder, name), { readOnly: true })
  return await (await store.table('t')).lookup(keys)
}

real('a server that was away beyond its lease refuses what is another’s by then', async () => {
  await withCluster(async ({ address, folder, servers: [a, b] }) => {
    assert.ok(a && b)
    const stores = await Promise.all(
      Array.from({ length: kClients }, () => connect(address, { timeoutMs: kWaitMs })),
    )
    const pushers = stores.map((store, lane) => new Pusher(store, lane))
    await until(async () => pushers.every((each) => each.acknowledged.length > 20), 'pushes')
    // Pushes wait for it, in its socket's buffer too.
    a.child.kill('SIGSTOP')
    const alive = async (): Promise<string[]> => {
      return (await clusterStatus(address)).members.map(({ server }) => server)
    }
    await until(async () => !(await alive()).includes(a.address), 'the end of its lease')
    await giveAll(address, [a.address, b.address], b.address)
    const since = Date.now()
    a.child.kill('SIGCONT')
    const goOn = (each: Pusher): boolean => each.acknowledged.filter((at) => at > since).length > 20
    await until(async () => pushers.every(goOn), 'pushes that go on')
    await until(async () => (await alive()).includes(a.address), 'its next lease')
    for (const pusher of pushers) await pusher.stop()
    for (const each of stores) await each.close()
    const [ofA, ofB] = [await rowsOf(a, folder, 'a'), await rowsOf(b, folder, 'b')]
    for (const [lane, pusher] of pushers.entries()) {
      assert.is(pusher.unknown + pusher.refused, 0)
      const all = pusher.acknowledged.length
      const later = pusher.acknowledged.filter((at) => at > since).length
      for (let i = lane; i < keys.length * kClients; i += kClients) {
        const [there, here] = [ofA[i] as number, ofB[i] as number]
        assert.is(there + here, all, `key ${Math.floor(i / kClients)}: ${there} and ${here}`)
        // After its return it has applied what it may have begun before, and nothing else.
        assert.ok(there <= all - later + 1, `${there} of ${all}, ${later} since`)
      }
      assert.ok(ofA.some((value) => value > 0) && ofB.some((value) => value === all))
    }
  })
})

real(
  'of a killed server calls fail by their deadline and name the slot, others go on',
  async () => {
    await withCluster(async ({ address, folder, servers }) => {
      const [a, b] = servers as [ServeCommand, ServeCommand]
      await using store = await connect(address, { timeoutMs: 1000 })
      const table = await store.table('t', { dim: 1, optimizer: sum() })
      await table.push(keys, new Float32Array(kKeys).fill(1))
      await store.commit()
      a.child.kill('SIGKILL')
      await a.ended
      let failed = 0
      for (const key of keys) {
        const began = Date.now()
        try {
          await table.lookup(BigUint64Array.of(key))
        } catch (error) {
          const { code, message } = error as StoreError
          assert.match(`${code} ${message}`, /^ERR_(UNAVAILABLE|TIMEOUT) slot \d+ in epoch 1: /)
          assert.ok(Date.now() - began < 20_000)
          if (++failed === 3) break
        }
      }
      assert.is(failed, 3)
      // With etcd away it could not begin; it is there, and the rows come back with their server.
      servers[0] = await start(address, join(folder, 'a'), a.address)
      await until(async () => {
        const rows = await table.lookup(keys).catch(() => [])
        return rows.length === kKeys && rows.every((value) => value === 1)
      }, 'its rows')
      assert.ok(b.child.exitCode === null)
    })
  },
)

real(
  'while etcd hangs servers answer as long as their lease may hold, and then again',
  async () => {
    await withCluster(async ({ etcd, address }) => {
      await using store = await connect(address, { timeoutMs: kWaitMs })
      const pusher = new Pusher(store, 0)
      await until(async () => pusher.acknowledged.length > 20, 'pushes')
      const stopped = Date.now()
      etcd.signal('SIGSTOP')
      // The last push that a server took under its lease, which began before etcd stopped.
      await sleep(8000)
      const last = pusher.acknowledged.at(-1) as number
      assert.ok(last - stopped < 4500, `answered for ${last - stopped} ms without etcd`)
      etcd.signal('SIGCONT')
      const before = pusher.acknowledged.length
      await until(async () => pusher.acknowledged.length > before + 20, 'pushes that go on')
      await pusher.stop()
      assert.is(pusher.unknown + pusher.refused, 0)
      const rows = await (await store.table('t')).lookup(keys)
      for (let i = 0; i < kKeys; i++) assert.is(rows[i * kClients], pusher.acknowledged.length)
    })
  },
)

test.run()
