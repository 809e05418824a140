// Guarantee C1 while etcd itself loses members: of three, the leader is killed, stopped, and cut
// off from the other two while servers and clients still reach it. Servers and clients go on, slots
// change hands by those that are left, and vector-clock rows (placements.ts) show that no key had
// two owners.
//
// All of it runs in a network namespace of its own, where these are allowed: what is made there
// goes with it. Else the last part is skipped.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { connect } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EtcdServer, noEtcd } from '../lib/support/etcd-server.ts'
import { kWaitMs, until } from '../lib/support/until.ts'
import { Namespaces, noNamespaces } from './namespaces.ts'
import {
  alive,
  type Cluster,
  giveAll,
  kClients,
  keys,
  Pusher,
  rowsOf,
  withCluster,
} from './placements.ts'

const kInside = 'HOTROW_TEST_INSIDE'
const kLeaseMs = 6000
const yes = (): boolean => true
const no = (): boolean => false
const test = suite('etcd-members')

/** The member that leads; the others may be away. */
async function leaderOf(etcd: readonly EtcdServer[]): Promise<number> {
  let leader = -1
  await until(async () => {
    const leads = await Promise.all(etcd.map((member) => member.leads().catch(() => false)))
    leader = leads.indexOf(true)
    return leader >= 0
  }, 'a leader')
  return leader
}

/**
 * Two clients push while `lose` takes members away, one after the other, and `giveBack` brings each
 * back. Every time pushes go on, and slots change hands by an operator's swap meanwhile.
 */
async function survive(
  { etcd, address, folder, servers }: Cluster,
  lose: ((leader: number) => Promise<() => Promise<void>>)[],
): Promise<void> {
  const [a, b] = servers
  assert.ok(a && b)
  const names = [a.address, b.address]
  const stores = await Promise.all(
    Array.from({ length: kClients }, () => connect(address, { timeoutMs: kWaitMs })),
  )
  const pushers = stores.map((store, lane) => new Pusher(store, lane))
  const goOn = async (what: string): Promise<void> => {
    const since = Date.now()
    const some = (each: Pusher): boolean => each.acknowledged.filter((at) => at > since).length > 10
    await until(async () => pushers.every(some), `pushes ${what}`)
  }
  try {
    await goOn('at first')
    for (const [i, away] of lose.entries()) {
      const leader = await leaderOf(etcd)
      const giveBack = await away(leader)
      // Until another leads, there is nobody who could.
      const given = (): Promise<boolean> =>
        giveAll(address, names, names[i % 2] as string).then(yes, no)
      await until(given, 'a placement while a member is away')
      await leaderOf(etcd.filter((_, member) => member !== leader))
      await goOn('while a member is away')
      await until(async () => (await alive(address).catch(() => [])).length === 2, 'both leases')
      await giveBack()
      await goOn('when it is back')
    }
  } finally {
    // Else a test that failed would not end.
    for (const pusher of pushers) await pusher.stop()
    for (const each of stores) await each.close()
  }
  const [ofA, ofB] = [await rowsOf(a, folder, 'a'), await rowsOf(b, folder, 'b')]
  for (const [lane, pusher] of pushers.entries()) {
    assert.is(pusher.unknown + pusher.refused, 0)
    for (let i = lane; i < keys.length * kClients; i += kClients) {
      const [there, here] = [ofA[i] as number, ofB[i] as number]
      const key = Math.floor(i / kClients)
      assert.is(there + here, pusher.acknowledged.length, `key ${key}: ${there} and ${here}`)
    }
  }
}

function killed({ etcd }: Cluster): (leader: number) => Promise<() => Promise<void>> {
  return async (leader) => {
    const member = etcd[leader] as EtcdServer
    await member.kill()
    return () => member.restart()
  }
}

function stopped({ etcd }: Cluster): (leader: number) => Promise<() => Promise<void>> {
  return async (leader) => {
    const member = etcd[leader] as EtcdServer
    member.signal('SIGSTOP')
    return async () => member.signal('SIGCONT')
  }
}

const why = noEtcd()
const whyNoNamespaces = why ?? noNamespaces()

if (whyNoNamespaces === undefined && process.env[kInside] === undefined) {
  const again = [...process.execArgv, fileURLToPath(import.meta.url)]
  const { status } = spawnSync('unshare', ['-n', process.execPath, ...again], {
    env: { ...process.env, [kInside]: '1' },
    stdio: 'inherit',
  })
  process.exit(status ?? 1)
}

if (whyNoNamespaces !== undefined) {
  if (why !== undefined) console.log(`skip: ${why}`)
  else console.log(`skip: no member of etcd is cut off: ${whyNoNamespaces}`)
  const real = why === undefined ? test : test.skip
  real('an etcd whose leader is killed and stopped', async () => {
    await withCluster(
      await EtcdServer.startAll(),
      (cluster) => survive(cluster, [killed(cluster), stopped(cluster)]),
      kLeaseMs,
    )
  })
} else {
  test('an etcd whose leader is killed, stopped and cut off', async () => {
    await using namespaces = await Namespaces.make(3)
    const cut = async (leader: number): Promise<() => Promise<void>> => {
      namespaces.cutOff(leader)
      return async () => namespaces.join(leader)
    }
    await withCluster(
      await EtcdServer.startAll(namespaces.places),
      (cluster) => survive(cluster, [killed(cluster), stopped(cluster), cut]),
      kLeaseMs,
    )
  })
}

test.run()
