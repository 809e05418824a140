// Guarantee C5 with real processes and a real etcd: `kill -9` of the mover, of the old and of the
// new server at each step of a move. Afterwards the same command brings it to its end, and the rows
// say whether anything was lost that was in a version, or applied twice: with the optimizer `sum`
// every push adds 1 to every key.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  type ClusterAddress,
  connect,
  createPlacement,
  moveSlots,
  type Store,
  StoreError,
  sum,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EtcdServer, noEtcd } from '../lib/support/etcd-server.ts'
import { type ServeCommand, serveCommand } from '../lib/support/serve-command.ts'

const why = noEtcd()
if (why !== undefined) console.log(`skipped: ${why}`)
const test = suite<{ etcd: EtcdServer }>('moves')
const real = why === undefined ? test : test.skip
const kProgram = fileURLToPath(new URL('programs/mover.mjs', import.meta.url))
const kWaitMs = 60_000
const kKeys = 1000
const keys = BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i))
const ones = new Float32Array(kKeys).fill(1)
const kSteps = ['paused', 'copied', 'frozen', 'changed', 'told'] as const
type Step = (typeof kSteps)[number]

test.before(async (context) => {
  if (why === undefined) context.etcd = await EtcdServer.start()
})
test.after(async ({ etcd }) => etcd?.stop())

/** Two servers on disk; the second is to get all slots. */
interface Pair {
  address: ClusterAddress
  folder: string
  servers: [ServeCommand, ServeCommand]
}

let clusters = 0

function serve(address: ClusterAddress, path: string, listen = '127.0.0.1:0') {
  const flags = ['--etcd', String(address.etcd), '--cluster', address.cluster]
  return serveCommand(path, '--listen', listen, '--lease-ms', '10000', ...flags)
}

async function withPair(etcd: EtcdServer, work: (pair: Pair) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const address = { etcd: etcd.url, cluster: `k${++clusters}` }
  const servers: ServeCommand[] = []
  try {
    for (const name of ['0', '1']) servers.push(await serve(address, join(folder, name)))
    await createPlacement(address)
    await work({ address, folder, servers: servers as Pair['servers'] })
  } finally {
    for (const { child, ended } of servers) {
      child.kill('SIGKILL')
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

async function restart({ address, folder, servers }: Pair, which: 0 | 1): Promise<void> {
  const { child, ended, address: listen } = servers[which]
  child.kill('SIGKILL')
  await ended
  servers[which] = await serve(address, join(folder, String(which)), listen)
}

/** A mover that has come to its step. */
async function moverAt({ address, servers }: Pair, step: Step) {
  const args = [kProgram, String(address.etcd), address.cluster, servers[1].address, step]
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = new Promise<string>((done) => {
    child.on('close', () => done(said))
  })
  for (const end = Date.now() + kWaitMs; !said.includes(`at ${step}`); await sleep(5)) {
    if (Date.now() > end || child.exitCode !== null) throw new Error(`no mover at ${step}: ${said}`)
  }
  return { child, goOn: () => child.stdin?.write('\n'), ended }
}

async function valueOfAll(store: Store): Promise<number> {
  const rows = await (await store.table('t')).lookup(keys)
  for (const value of rows) assert.is(value, rows[0])
  return rows[0] as number
}

/** The move is made to its end, and all rows are with the second server. */
async function finish({ address, servers }: Pair): Promise<void> {
  for (const end = Date.now() + kWaitMs; ; await sleep(100)) {
    try {
      const its = await moveSlots(address, '0-16383', servers[1].address, { leaseMs: 2000 })
      assert.is(its.placement.servers.find((each) => each.slots > 0)?.slots, 16_384)
      return
    } catch (error) {
      // A server that was started a moment ago.
      if (!(error instanceof StoreError) || Date.now() > end) throw error
    }
  }
}

/** work() at every step, each with two servers of its own, all at once. */
async function atEachStep(
  etcd: EtcdServer,
  work: (pair: Pair, step: Step) => Promise<void>,
): Promise<void> {
  const all = await Promise.allSettled(
    kSteps.map((step) => withPair(etcd, (pair) => work(pair, step))),
  )
  for (const [i, its] of all.entries()) {
    if (its.status === 'rejected') {
      throw new Error(`${kSteps[i]}: ${(its.reason as Error).message}`, { cause: its.reason })
    }
  }
}

real('a mover that is killed leaves every push applied once', ({ etcd }) =>
  atEachStep(etcd, async (pair, step) => {
    const store = await connect(pair.address, { timeoutMs: kWaitMs })
    const table = await store.table('t', { dim: 1, optimizer: sum() })
    await table.push(keys, ones)
    const mover = await moverAt(pair, step)
    // Of the frozen group it waits, until the lease of the dead mover has ended.
    const push = table.push(keys, ones)
    mover.child.kill('SIGKILL')
    await mover.ended
    await push
    assert.is(await valueOfAll(store), 2)
    await store.commit()
    await finish(pair)
    await table.push(keys, ones)
    assert.is(await valueOfAll(store), 3)
    await store.commit()
    await store.close()
    // Both have what they say.
    await Promise.all([restart(pair, 0), restart(pair, 1)])
    await using again = await connect(pair.address, { timeoutMs: kWaitMs })
    assert.is(await valueOfAll(again), 3)
  }),
)

for (const [which, name] of [
  [0, 'an old'],
  [1, 'a new'],
] as const) {
  real(`${name} server that is killed loses nothing that is in a version`, ({ etcd }) =>
    atEachStep(etcd, async (pair, step) => {
      const before = await connect(pair.address, { timeoutMs: kWaitMs })
      const table = await before.table('t', { dim: 1, optimizer: sum() })
      await table.push(keys, ones)
      await table.push(keys, ones)
      await before.commit()
      await before.close()
      const mover = await moverAt(pair, step)
      await restart(pair, which)
      mover.goOn()
      const said = await mover.ended
      assert.match(said, /ended (well|ERR_)/)
      await finish(pair)
      await using store = await connect(pair.address, { timeoutMs: kWaitMs })
      assert.is(await valueOfAll(store), 2, said)
      await (await store.table('t')).push(keys, ones)
      assert.is(await valueOfAll(store), 3)
      await store.commit()
    }),
  )
}

test.run()
