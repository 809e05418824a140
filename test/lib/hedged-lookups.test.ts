// Lookups that a follower answers for a server that is stopped or gone: processes of their own.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { codeOf } from './support/refusals.ts'
import { type ServeCommand, serveCommand } from './support/serve-command.ts'

interface Context {
  folder: string
  server: ServeCommand
  follower: ServeCommand
}

const test = suite<Context>('hedged lookups')
const options = { dim: 2, optimizer: sum() }
const keys = BigUint64Array.from({ length: 500 }, (_, i) => BigInt(i * 7))
const all = (value: number) => new Float32Array(keys.length * 2).fill(value)
const old = { maxAgeMs: 3_600_000 }

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
  const path = join(context.folder, 's')
  context.server = await serveCommand(path, '--listen', '127.0.0.1:0')
  {
    await using store = await connect(context.server.address)
    const table = await store.table('t', options)
    await table.push(keys, all(1))
    await store.commit()
  }
  context.follower = await serveCommand(path, '--follow', path, '--listen', '127.0.0.1:0')
})

test.after.each(async ({ folder, server, follower }) => {
  for (const { child, ended } of [server, follower]) {
    child.kill('SIGKILL')
    await ended
  }
  await rm(folder, { recursive: true })
})

test('a server that is stopped, and goes on', async ({ server, follower }) => {
  const followers = { [server.address]: [follower.address] }
  await using store = await connect(server.address, { followers, timeoutMs: 2_000 })
  const table = await store.table('t', options)
  await table.push(keys, all(2))
  assert.equal(await table.lookup(keys, old), all(3))
  server.child.kill('SIGSTOP')
  const rows = await Promise.all(Array.from({ length: 8 }, () => table.lookup(keys, old)))
  for (const its of rows) assert.equal(its, all(1))
  assert.equal(await table.lookup(keys, { ...old, found: new Uint8Array(63) }), all(1))
  // Neither lookups that want the newest rows, nor those that want newer ones than there are.
  assert.is(await codeOf(table.lookup(keys)), 'ERR_TIMEOUT')
  assert.is(await codeOf(table.lookup(keys, { maxAgeMs: 1 })), 'ERR_TIMEOUT')
  server.child.kill('SIGCONT')
  assert.equal(await table.lookup(keys), all(3))
  for (const its of rows) assert.equal(its, all(1))
  const { remote } = await store.stats()
  assert.ok((remote?.hedgesWon ?? 0) >= 9)
  assert.ok((remote?.hedged ?? 0) >= (remote?.hedgesWon ?? 0))
})

test('a server that is gone', async ({ server, follower }) => {
  const followers = { [server.address]: follower.address }
  await using store = await connect(server.address, { followers, timeoutMs: 2_000 })
  const table = await store.table('t')
  server.child.kill('SIGKILL')
  await server.ended
  for (let i = 0; i < 3; i++) assert.equal(await table.lookup(keys, old), all(1))
  assert.is(await codeOf(table.lookup(keys)), 'ERR_UNAVAILABLE')
})

test('what is no server and its followers', async ({ server, follower }) => {
  const wrong = async (followers: unknown, text: RegExp, servers: unknown = server.address) => {
    const error = await connect(servers as string, { followers } as never).then(
      () => assert.unreachable(),
      (error) => error,
    )
    assert.is(error.code, 'ERR_INVALID_ARGUMENT')
    assert.match(error.message, text)
  }
  await wrong('x', /^followers: expected an object/)
  await wrong([], /^followers: expected an object/)
  await wrong({ '127.0.0.1:1': follower.address }, /is none of the servers/)
  await wrong({ [server.address]: [] }, /followers: .*none/)
  await wrong({ [server.address]: 7 }, /^followers\['127/)
  await wrong({ [server.address]: [7] }, /^followers\['127/)
  await wrong({ [server.address]: server.address }, /appears twice/)
  await wrong({ [server.address]: '10.0.0.1:7' }, /this machine only/)
  const etcd = { etcd: 'http://127.0.0.1:1', cluster: 'c' }
  await wrong({ [server.address]: follower.address }, /none with etcd/, etcd)
  // One that does not answer is no error: it may come.
  await using store = await connect(server.address, {
    followers: { [server.address]: '127.0.0.1:1' },
  })
  assert.equal(await (await store.table('t')).lookup(keys, old), all(1))
})

test.run()
