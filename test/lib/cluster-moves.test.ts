// Slots that move between the servers of a cluster (guarantee C5), with a real etcd: the commands,
// two movers at once, movers that are gone, and a placement that somebody else changes meanwhile.

import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  addServer,
  type ClusterAddress,
  connect,
  createPlacement,
  type MoveProgress,
  type MoveResult,
  moveSlots,
  open,
  rebalance,
  removeServer,
  type Server,
  type Store,
  serve,
  sum,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MoverLock } from '../../dist/cluster/lock.js'
import { Mover } from '../../dist/cluster/mover.js'
import { Registry } from '../../dist/cluster/registry.js'
import { parseSlots, slotsText } from '../../dist/cluster/slots.js'
import { addon } from '../../dist/native.js'
import { EtcdServer, noEtcd } from './support/etcd-server.ts'
import { codeAndMessageOf as codeOf } from './support/refusals.ts'
import { kProgram } from './support/serve-command.ts'
import { kWaitMs, until } from './support/until.ts'

interface Context {
  etcd: EtcdServer
  address: ClusterAddress
  members: Member[]
}
interface Member {
  store: Store
  server: Server
}

const why = noEtcd()
if (why !== undefined) console.log(`skipped: ${why}`)
const test = suite<Context>('cluster-moves')
const real = why === undefined ? test : test.skip
const run = promisify(execFile)
const kClients = 2
const kKeys = 2000
const keys = BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i))
let clusters = 0

test.before(async (context) => {
  if (why === undefined) context.etcd = await EtcdServer.start()
})
test.before.each((context) => {
  context.members = []
  if (why === undefined) context.address = { etcd: context.etcd.url, cluster: `m${++clusters}` }
})
test.after.each(async ({ members }) => {
  for (const { store, server } of members) {
    await server.stop()
    await store.close()
  }
})
test.after(async ({ etcd }) => etcd?.stop())

async function join({ address, members }: Context, weight = 1): Promise<string> {
  const store = await open(':memory:')
  const server = await serve(store, { ...address, leaseMs: 30_000, weight })
  members.push({ store, server })
  return server.address
}

/** Adds 1 to its own lane of every key, and reads it, until it is stopped. */
class Pusher {
  pushes = 0
  #stop = false
  readonly #done: Promise<void>

  constructor(store: Store, lane: number) {
    this.#done = this.#run(store, lane)
    // Seen where it is waited for.
    this.#done.catch(() => {})
  }

  async #run(store: Store, lane: number): Promise<void> {
    const table = await store.table('t', { dim: kClients, optimizer: sum() })
    const gradients = new Float32Array(kKeys * kClients)
    for (let i = 0; i < kKeys; i++) gradients[i * kClients + lane] = 1
    while (!this.#stop) {
      await table.push(keys, gradients)
      this.pushes++
      const rows = await table.lookup(keys)
      for (let i = 0; i < kKeys; i++) assert.is(rows[i * kClients + lane], this.pushes)
    }
  }

  stop(): Promise<void> {
    this.#stop = true
    return this.#done
  }
}

/** work() while clients push and read; then nothing may be lost or doubled. */
async function whilePushing(address: ClusterAddress, work: () => Promise<void>): Promise<void> {
  const stores = await Promise.all(
    Array.from({ length: kClients }, () => connect(address, { timeoutMs: kWaitMs })),
  )
  try {
    const pushers = stores.map((store, lane) => new Pusher(store, lane))
    await until(() => pushers.every(({ pushes }) => pushes > 3), 'pushes')
    const before = pushers.map(({ pushes }) => pushes)
    await work()
    await until(() => pushers.every(({ pushes }, i) => pushes > before[i]! + 3), 'pushes after')
    for (const pusher of pushers) await pusher.stop()
    const table = await (stores[0] as Store).table('t')
    const rows = await table.lookup(keys)
    for (const [i, value] of rows.entries()) assert.is(value, pushers[i % kClients]?.pushes)
    assert.is((await table.stats()).rows >= kKeys, true)
  } finally {
    for (const store of stores) await store.close()
  }
}

const slotsOf = ({ placement }: MoveResult): Record<string, number> =>
  Object.fromEntries(placement.servers.map(({ server, slots }) => [server, slots]))

real('slots move there and back while clients push and read', async (context) => {
  const { address } = context
  const [a, b] = [await join(context), await join(context)]
  const { servers } = await createPlacement(address)
  const had = Object.fromEntries(servers.map(({ server, slots }) => [server, slots]))
  await whilePushing(address, async () => {
    const seen: MoveProgress[] = []
    const there = await moveSlots(address, '0-16383', b, { onProgress: (its) => seen.push(its) })
    assert.equal(slotsOf(there), { [a]: 0, [b]: 16_384 })
    assert.is(there.slots, had[a])
    assert.is(seen.length, there.groups)
    assert.is(seen.at(-1)?.slots, there.slots)
    assert.ok(there.rows > 500 && there.bytes >= there.rows * 16)
    const { median, longest } = there.freezeMs
    assert.ok(median > 0 && median <= longest)
    console.log(`freeze of ${there.groups} groups: median ${median}, longest ${longest} ms`)
    assert.is((await moveSlots(address, '0-16383', b)).groups, 0)
    await moveSlots(address, '0-99,16000-16383', a)
    assert.equal(slotsOf(await moveSlots(address, '7', a)), { [a]: 484, [b]: 15_900 })
    const back = await rebalance(address)
    assert.equal(slotsOf(back), had)
    assert.is((await rebalance(address)).slots, 0)
  })
})

real('servers are added and removed by the command line', async (context) => {
  const { address, etcd } = context
  const a = await join(context)
  await createPlacement(address)
  const [b, c] = [await join(context), await join(context, 2)]
  const cluster = async (...args: string[]): Promise<MoveResult> => {
    const all = ['cluster', ...args, '--etcd', etcd.url, '--cluster', address.cluster, '--json']
    return JSON.parse((await run(process.execPath, [kProgram, ...all])).stdout) as MoveResult
  }
  await whilePushing(address, async () => {
    const withB = slotsOf(await cluster('add', '--server', b))
    assert.ok(Math.abs((withB[b] as number) / 16_384 - 0.5) < 0.03)
    assert.equal(slotsOf(await cluster('add', '--server', b)), withB)
    const withC = slotsOf(await cluster('add', '--server', c))
    assert.ok(Math.abs((withC[c] as number) / 16_384 - 0.5) < 0.03)
    const withoutA = slotsOf(await cluster('remove', '--server', a))
    assert.equal(Object.keys(withoutA).sort(), [b, c].sort())
    const moved = await cluster('move', '--slots', '0-16383', '--to', b)
    assert.is(slotsOf(moved)[b], 16_384)
    assert.equal(slotsOf(await cluster('rebalance')), withoutA)
  })
  const wrong = (...args: string[]): Promise<string> => codeOf(cluster(...args))
  assert.match(await wrong('move', '--slots', '1'), /^2 .*--to is missing/s)
  assert.match(await wrong('remove', '--server', a), /ERR_NOT_FOUND.*no server/s)
})

real('what cannot be done is refused and changes nothing', async (context) => {
  const { address } = context
  assert.match(await codeOf(rebalance(address)), /^ERR_NOT_FOUND .*no placement/)
  const a = await join(context)
  await createPlacement(address)
  const before = await new Registry(address).placement()
  const gone = '127.0.0.1:9'
  for (const [call, expected] of [
    [() => moveSlots(address, '1', gone), /^ERR_UNAVAILABLE .*127.0.0.1:9' is not alive/],
    [() => addServer(address, gone), /^ERR_UNAVAILABLE .*is not alive/],
    [() => removeServer(address, a), /^ERR_CONFLICT .*is the last/],
    [() => removeServer(address, gone), /^ERR_NOT_FOUND/],
    [() => moveSlots(address, '5-3', a), /slots.*5-3/],
    [() => moveSlots(address, '16384', a), /slots.*16384/],
    [() => moveSlots(address, 7 as unknown as string, a), /slots.*7/],
    [() => moveSlots(address, '1', 'a'), /to.*HOST:PORT/],
    [() => moveSlots(address, '1', a, { leaseMs: 5 }), /leaseMs/],
    [() => rebalance(address, { tls: {} }), /tls/],
    [() => rebalance(address, { extra: 1 } as object), /extra/],
  ] as [() => Promise<unknown>, RegExp][]) {
    assert.match(await codeOf(call()), expected)
  }
  assert.equal(await new Registry(address).placement(), before)
})

test('slots are read and written as texts', () => {
  assert.equal(parseSlots('slots', '9,0-2,1'), [0, 1, 2, 9])
  assert.is(slotsText([0, 1, 2, 9, 10, 16_383]), '0-2,9-10,16383')
  assert.is(slotsText(parseSlots('slots', '0-16383')), '0-16383')
})

real('there is one mover at a time, and its lock ends with its lease', async (context) => {
  const { address } = context
  const a = await join(context)
  await createPlacement(address)
  const registry = new Registry(address)
  const first = await MoverLock.take(registry, 2000, 0)
  assert.match(await codeOf(MoverLock.take(registry, 2000, 200)), /^ERR_BUSY .*"pid"/)
  // It waits for the first, as after one that died.
  const second = MoverLock.take(registry, 2000, kWaitMs)
  await first.release()
  const lock = await second
  assert.ok(BigInt(lock.revision) > BigInt(first.revision))
  const stored = (await registry.placement()) as { text: string; revision: string }
  const late = [first.condition]
  const { placementKey, etcd } = registry
  assert.not(await etcd.swapIf(placementKey, stored.revision, 'x', late, kWaitMs))
  assert.ok(
    await etcd.swapIf(placementKey, stored.revision, stored.text, [lock.condition], kWaitMs),
  )
  await lock.release()
  assert.is((await rebalance(address)).slots, 0)
  assert.ok(a)
})

/** A mover that stands still at a step of its first group. */
async function standingAt(address: ClusterAddress, step: string, to: string) {
  let goOn = (): void => {}
  const waits = new Promise<void>((done) => {
    goOn = done
  })
  let arrived = (): void => {}
  const there = new Promise<void>((done) => {
    arrived = done
  })
  const native = {
    ...{ timeoutMs: kWaitMs, spinUs: 0, tls: tlsOfNone() },
    ...{ transport: 0, followers: [], trace: '' },
  }
  const options = {
    native,
    leaseMs: 2000,
    waitMs: kWaitMs,
    step: async (name: string) => {
      if (name !== step) return
      arrived()
      await waits
    },
  }
  const ended = codeOf(
    Mover.run(new Registry(address), options, (mover) => {
      const from = mover.servers.find((server) => server !== to) as string
      const slots = mover.owners.flatMap((owner, slot) => (owner === from ? [slot] : []))
      return mover.move([{ from, to, slots }])
    }),
  )
  const early = await Promise.race([there, ended])
  assert.is(early, undefined)
  return { goOn, ended }
}

function tlsOfNone(): Record<string, string> {
  const fields = ['caFile', 'certFile', 'keyFile', 'pskFile', 'tokenFile', 'serverName']
  return Object.fromEntries(fields.map((field) => [field, '']))
}

real('a freeze ends when its mover has lost its lock, and not before', async (context) => {
  const { address } = context
  const [, b] = [await join(context), await join(context)]
  await createPlacement(address)
  await using store = await connect(address, { timeoutMs: kWaitMs })
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  const ones = new Float32Array(kKeys).fill(1)
  await table.push(keys, ones)
  const mover = await standingAt(address, 'frozen', b)
  let pushed = false
  const push = table.push(keys, ones).then(() => {
    pushed = true
  })
  await sleep(400)
  assert.not(pushed)
  // As when its lease ends because the process was stopped for a while.
  const registry = new Registry(address)
  await registry.etcd.ask('/v3/kv/deleterange', { key: btoa(registry.moverKey) }, kWaitMs)
  await push
  mover.goOn()
  assert.match(await mover.ended, /^ERR_CONFLICT .*refused.*lost its lock: its lease has ended$/)
  assert.is(addon.readPlacement((await registry.placement())?.text ?? '').epoch, 1)
  assert.equal(await table.lookup(keys), new Float32Array(kKeys).fill(2))
  assert.ok((await moveSlots(address, '0-16383', b)).slots > 0)
  assert.equal(await table.lookup(keys), new Float32Array(kKeys).fill(2))
})

real(
  'a placement that was changed meanwhile, or a server that was, stops a move',
  async (context) => {
    const { address, members } = context
    const [a, b] = [await join(context), await join(context)]
    await createPlacement(address)
    await using store = await connect(address, { timeoutMs: kWaitMs })
    const table = await store.table('t', { dim: 1, optimizer: sum() })
    const ones = new Float32Array(kKeys).fill(1)
    await table.push(keys, ones)
    const registry = new Registry(address)
    const first = await standingAt(address, 'frozen', b)
    const stored = (await registry.placement()) as { text: string; revision: string }
    const { servers, slots } = addon.readPlacement(stored.text)
    const same = addon.writePlacement(2, servers, slots)
    assert.ok(await registry.etcd.swap(registry.placementKey, stored.revision, same, kWaitMs))
    first.goOn()
    assert.match(
      await first.ended,
      /^ERR_CONFLICT .*: the placement was changed: its epoch is 2 now$/,
    )
    await table.push(keys, ones)
    // As one that was started anew would write it: it has other rows, and no freeze.
    const second = await standingAt(address, 'frozen', b)
    const key = registry.memberKey(a)
    const [member] = await registry.etcd.get([key], kWaitMs)
    await context.etcd.put(key, member?.value ?? '')
    second.goOn()
    assert.match(
      await second.ended,
      new RegExp(`^ERR_CONFLICT .*: server '${a}' was started anew$`),
    )
    await table.push(keys, ones)
    assert.equal(await table.lookup(keys), new Float32Array(kKeys).fill(3))
    assert.is(members.length, 2)
  },
)

test.run()
