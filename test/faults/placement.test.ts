// Guarantees C1 and C3 with real processes and a real etcd: a server that was away beyond its lease
// and whose slots are another's by then, servers that are killed, and an etcd that hangs.
// Vector-clock rows judge (placements.ts).

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type StoreError, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EtcdServer, noEtcd } from '../lib/support/etcd-server.ts'
import type { ServeCommand } from '../lib/support/serve-command.ts'
import { kWaitMs, until } from '../lib/support/until.ts'
import {
  alive,
  giveAll,
  kClients,
  keys,
  kKeys,
  Pusher,
  rowsOf,
  start,
  withCluster,
} from './placements.ts'

const why = noEtcd()
if (why !== undefined) console.log(`skipped: ${why}`)
const test = suite('placement')
const real = why === undefined ? test : test.skip

real('a server that was away beyond its lease refuses what is another’s by then', async () => {
  await withCluster([await EtcdServer.start()], async ({ address, folder, servers: [a, b] }) => {
    assert.ok(a && b)
    const stores = await Promise.all(
      Array.from({ length: kClients }, () => connect(address, { timeoutMs: kWaitMs })),
    )
    const pushers = stores.map((store, lane) => new Pusher(store, lane))
    await until(async () => pushers.every((each) => each.acknowledged.length > 20), 'pushes')
    // Pushes wait for it, in its socket's buffer too.
    a.child.kill('SIGSTOP')
    await until(async () => !(await alive(address)).includes(a.address), 'the end of its lease')
    await giveAll(address, [a.address, b.address], b.address)
    const since = Date.now()
    a.child.kill('SIGCONT')
    const goOn = (each: Pusher): boolean => each.acknowledged.filter((at) => at > since).length > 20
    await until(async () => pushers.every(goOn), 'pushes that go on')
    await until(async () => (await alive(address)).includes(a.address), 'its next lease')
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
    await withCluster([await EtcdServer.start()], async ({ address, folder, servers }) => {
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
      servers[0] = await start(address, join(folder, 'a'), 3000, a.address)
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
    await withCluster([await EtcdServer.start()], async ({ etcd: [etcd], address }) => {
      await using store = await connect(address, { timeoutMs: kWaitMs })
      const pusher = new Pusher(store, 0)
      await until(async () => pusher.acknowledged.length > 20, 'pushes')
      const stopped = Date.now()
      etcd?.signal('SIGSTOP')
      // The last push that a server took under its lease, which began before etcd stopped.
      await sleep(8000)
      const last = pusher.acknowledged.at(-1) as number
      assert.ok(last - stopped < 4500, `answered for ${last - stopped} ms without etcd`)
      etcd?.signal('SIGCONT')
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
