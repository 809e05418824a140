// Clusters whose placement is in a real etcd: servers that join, clients that follow, what becomes
// of both when etcd is gone or says what is none, and the command line.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  type ClusterAddress,
  clusterStatus,
  connect,
  createPlacement,
  open,
  type Server,
  type ServerOptions,
  type Store,
  serve,
  sum,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Registry } from '../../dist/cluster/registry.js'
import { addon } from '../../dist/native.js'
import { EtcdServer, noEtcd } from './support/etcd-server.ts'
import { codeAndMessageOf as codeOf } from './support/refusals.ts'
import { kProgram, serveCommand } from './support/serve-command.ts'
import { kWaitMs, until } from './support/until.ts'

interface Context {
  etcd: EtcdServer
  address: ClusterAddress
}

const why = noEtcd()
if (why !== undefined) console.log(`skipped: ${why}`)
const test = suite<Context>('cluster')
const real = why === undefined ? test : test.skip
const run = promisify(execFile)
let clusters = 0

test.before(async (context) => {
  if (why === undefined) context.etcd = await EtcdServer.start()
})
test.before.each((context) => {
  if (why !== undefined) return
  context.address = { etcd: context.etcd.url, cluster: `c${++clusters}` }
})
test.after(async ({ etcd }) => etcd?.stop())

interface Member {
  store: Store
  server: Server
}

async function member(address: ClusterAddress, options: ServerOptions = {}): Promise<Member> {
  const store = await open(':memory:')
  return { store, server: await serve(store, { ...address, leaseMs: 30_000, ...options }) }
}

async function end(...members: Member[]): Promise<void> {
  for (const { store, server } of members) {
    await server.stop()
    await store.close()
  }
}

/** Changes the placement to one of these servers, as an operator's program would. */
async function replace(address: ClusterAddress, servers: string[], weights: number[]) {
  const registry = new Registry(address)
  const { text, revision } = (await registry.placement()) as { text: string; revision: string }
  const { epoch } = addon.readPlacement(text)
  const next = addon.makePlacement(epoch + 1, servers, weights)
  assert.ok(await registry.etcd.swap(registry.placementKey, revision, next, kWaitMs))
  return epoch + 1
}

const epochOf = ({ server }: Member): number | undefined => server.placement()?.placement?.epoch
const keys = BigUint64Array.from({ length: 500 }, (_, i) => BigInt(i))
const ones = new Float32Array(500).fill(1)
const rowsOf = async ({ store }: Member): Promise<number> => {
  return (await (await store.table('t')).stats()).rows
}

real('servers join, get a placement and answer for their keys', async ({ address }) => {
  const a = await member(address)
  const b = await member(address, { weight: 3 })
  const before = await clusterStatus(address)
  assert.is(before.placement, undefined)
  assert.equal(
    before.members.map(({ server, weight }) => [server, weight]),
    [
      [a.server.address, 1],
      [b.server.address, 3],
    ].sort(),
  )
  assert.equal(a.server.placement(), { placement: undefined, problem: undefined })
  const waiting = connect(address, { timeoutMs: kWaitMs })
  const made = await createPlacement(address)
  assert.is(made.epoch, 1)
  const slots = Object.fromEntries(made.servers.map((each) => [each.server, each.slots]))
  assert.is((slots[a.server.address] ?? 0) + (slots[b.server.address] ?? 0), 16_384)
  assert.ok(Math.abs((slots[b.server.address] ?? 0) / 16_384 - 0.75) < 0.03)
  await using store = await waiting
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys, ones)
  assert.equal(await table.lookup(keys), ones)
  assert.is((await rowsOf(a)) + (await rowsOf(b)), 500)
  assert.ok((await rowsOf(a)) > 50)
  // One of them leads to all.
  await using other = await connect(a.server.address)
  assert.equal(await (await other.table('t')).lookup(keys), ones)
  await end(a, b)
  assert.equal((await clusterStatus(address)).members, [])
})

real('of first placements made at once one becomes it', async ({ address }) => {
  assert.match(await codeOf(createPlacement(address)), /^ERR_NOT_FOUND .*no servers/)
  const a = await member(address)
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, () => codeOf(createPlacement(address))),
  )
  assert.is(outcomes.filter((each) => each === 'nothing').length, 1)
  assert.is(outcomes.filter((each) => /^ERR_CONFLICT .*already/.test(each)).length, 7)
  await end(a)
})

real('servers and clients follow a placement that changes', async ({ address }) => {
  const members = [await member(address), await member(address)]
  const [a, b] = members as [Member, Member]
  await createPlacement(address)
  await using store = await connect(address, { timeoutMs: kWaitMs })
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys, ones)
  const before = await rowsOf(a)
  const servers = [a.server.address, b.server.address]
  assert.is(await replace(address, servers, [0, 1]), 2)
  // While it has reached nobody, one of them, or all.
  for (let i = 0; i < 20; i++) await table.push(keys, ones)
  await until(() => members.every((each) => epochOf(each) === 2), 'epoch 2')
  await table.push(keys, ones)
  assert.is(await rowsOf(b), 500)
  assert.is(await rowsOf(a), before)
  // Applied once each, wherever.
  const here = await (await a.store.table('t')).lookup(keys)
  const there = await (await b.store.table('t')).lookup(keys)
  assert.equal(new Set(here.map((value, i) => value + (there[i] as number))), new Set([22]))
  await end(a, b)
})

real('without etcd both go on as long as the lease may hold', async ({ etcd, address }) => {
  const a = await member(address, { leaseMs: 4000 })
  await createPlacement(address)
  await using store = await connect(address, { timeoutMs: 20_000 })
  await using hasty = await connect(address, { timeoutMs: 200 })
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys, ones)
  const killed = Date.now()
  await etcd.kill()
  try {
    const read = await hasty.table('t')
    let answered = 0
    let refused = ''
    // Of a machine that is late with everything a call may have no answer in its short time.
    while (!/^ERR_WRONG_OWNER/.test(refused)) {
      const began = Date.now()
      refused = await codeOf(read.lookup(keys))
      assert.match(refused, /^(nothing|ERR_TIMEOUT|ERR_WRONG_OWNER)/)
      if (refused === 'nothing') {
        assert.ok(began - killed < 4000, 'it answers beyond its lease')
        answered++
      }
      assert.ok(Date.now() - killed < kWaitMs)
      await sleep(10)
    }
    assert.match(refused, /has not reached etcd/)
    assert.ok(answered > 0, 'it has not gone on')
    assert.match(await codeOf(read.push(keys, ones)), /^ERR_(WRONG_OWNER|TIMEOUT)/)
    await until(() => a.server.placement()?.problem !== undefined, 'a problem')
    assert.match(String(a.server.placement()?.problem), /^etcd at/)
    assert.match(await codeOf(clusterStatus(address)), /^ERR_UNAVAILABLE etcd at/)
    assert.match(await codeOf(member(address)), /^ERR_UNAVAILABLE etcd at/)
    await etcd.restart()
    // By itself: the same server, the same rows. What was refused was not applied.
    await until(
      async () => (await codeOf((await hasty.table('t')).lookup(keys))) === 'nothing',
      'rows',
    )
    assert.equal(await table.lookup(keys), ones)
    await until(() => a.server.placement()?.problem === undefined, 'no problem')
  } finally {
    await etcd.kill()
    await etcd.restart()
    await end(a)
  }
})

real('what is no placement, or an older one, changes nothing', async ({ etcd, address }) => {
  const a = await member(address)
  await createPlacement(address)
  const registry = new Registry(address)
  const first = (await registry.placement())?.text as string
  await replace(address, [a.server.address, '127.0.0.1:1'], [1, 0])
  await until(() => epochOf(a) === 2, 'epoch 2')
  const good = (await registry.placement())?.text as string
  const key = registry.placementKey
  const digest = /"digest":"([0-9a-f]+)"/
  const ofAnother = good.replace(digest, `"digest":"${digest.exec(first)?.[1]}"`)
  const hostile: [string, string, RegExp][] = [
    ['garbage', '\u0000no JSON', /JSON object/],
    ['too few slots', good.replace('"slots":"000', '"slots":"'), /slots: expected 49152/],
    ['an unknown server', good.replace('"slots":"000', '"slots":"7ff'), /slot 0 is with server/],
    ['a foreign digest', ofAnother, /digest: it is not that/],
    ['an older epoch', first, /epoch 1 is older than the server's 2/],
    [
      'another of its epoch',
      addon.makePlacement(2, [a.server.address], [1]),
      /another one of epoch 2/,
    ],
  ]
  for (const [what, text, problem] of hostile) {
    assert.is.not(text, good, what)
    await etcd.put(key, text)
    await until(() => problem.test(String(a.server.placement()?.problem)), what)
    assert.is(epochOf(a), 2, what)
  }
  // Whoever comes now is told what is wrong.
  await etcd.put(key, ofAnother)
  assert.match(await codeOf(connect(address)), /^ERR_INVALID_ARGUMENT placement: digest/)
  assert.match(await codeOf(clusterStatus(address)), /^ERR_INVALID_ARGUMENT placement: digest/)
  assert.match(await codeOf(member(address)), /^ERR_INVALID_ARGUMENT placement: digest/)
  await etcd.put(key, addon.makePlacement(3, ['10.0.0.1:7070'], [1]))
  assert.match(await codeOf(connect(address)), /^ERR_INVALID_ARGUMENT .*of this machine only/)
  // The server is in none of it, and owns nothing.
  await until(() => epochOf(a) === 3, 'epoch 3')
  assert.match(
    await codeOf(connect(a.server.address)),
    /^ERR_INVALID_ARGUMENT .*of this machine only/,
  )
  await end(a)
})

real('what is no placement stops nobody, however long it stays', async ({ etcd, address }) => {
  const a = await member(address, { leaseMs: 3000 })
  await createPlacement(address)
  await using store = await connect(address)
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  await etcd.put(new Registry(address).placementKey, 'no placement')
  await until(() => /JSON object/.test(String(a.server.placement()?.problem)), 'a problem')
  await sleep(4000)
  assert.match(String(a.server.placement()?.problem), /JSON object/)
  await table.push(keys, ones)
  assert.equal(await table.lookup(keys), ones)
  await end(a)
})

real('of two servers with one name the first gives it up', async ({ address }) => {
  const advertise = '127.0.0.1:65000'
  const first = await member(address, { advertise, leaseMs: 4000 })
  const second = await member(address, { advertise, leaseMs: 30_000 })
  await until(() => /another server is/.test(String(first.server.placement()?.problem)), 'conflict')
  await sleep(1500)
  assert.match(String(first.server.placement()?.problem), /another server is/)
  assert.is(second.server.placement()?.problem, undefined)
  await second.server.stop()
  await until(() => first.server.placement()?.problem === undefined, 'its turn')
  await end(first, second)
})

real('the command line', async ({ etcd, address }) => {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const flags = ['--etcd', etcd.url, '--cluster', address.cluster]
  const cluster = async (...args: string[]): Promise<string> => {
    return (await run(process.execPath, [kProgram, 'cluster', ...args, ...flags])).stdout
  }
  const serving = ['--listen', '127.0.0.1:0', '--lease-ms', '3000', ...flags]
  const all = [
    await serveCommand(join(folder, 'a'), ...serving),
    await serveCommand(join(folder, 'b'), ...serving, '--weight', '3'),
  ]
  try {
    assert.match(await cluster('status'), /no placement yet/)
    assert.match(await cluster('init'), /^epoch 1\n/)
    await using store = await connect(address)
    const table = await store.table('t', { dim: 1, optimizer: sum() })
    await table.push(keys, ones)
    assert.equal(await table.lookup(keys), ones)
    await store.commit()
    const [a, b] = all as [(typeof all)[0], (typeof all)[0]]
    const shown = await cluster('status')
    assert.match(shown, new RegExp(`${a.address} +alive +[0-9,]+ +1 `))
    b.child.kill('SIGKILL')
    await b.ended
    // Its lease tells, in its time.
    await until(async () => new RegExp(`${b.address} +gone`).test(await cluster('status')), 'gone')
    const { placement, members } = JSON.parse(await cluster('status', '--json')) as Awaited<
      ReturnType<typeof clusterStatus>
    >
    assert.is(placement?.servers.length, 2)
    assert.equal(
      members.map(({ server }) => server),
      [a.address],
    )
    // Started anew it has its slots and its rows again.
    all[1] = await serveCommand(join(folder, 'b'), ...serving, '--listen', b.address)
    assert.equal(await table.lookup(keys), ones)
    const wrong = run(process.execPath, [kProgram, 'cluster', 'dance', ...flags])
    assert.match(await codeOf(wrong), /^2 /)
    await store.close()
  } finally {
    for (const { child, ended } of all) {
      child.kill('SIGKILL')
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
