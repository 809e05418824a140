// Servers and those who connect: what is theirs alone. All else: contract.test.ts.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, open, Server, serve, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floats, keys, same } from './support/arrays.ts'
import { kProgram, serveCommand } from './support/serve-command.ts'

const test = suite<{ folder: string }>('serve')

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: Error & { code?: string }) => error.code ?? error.message,
  )

test('a process serves its store, and goes on using it', async () => {
  await using store = await open(':memory:')
  await using server = await serve(store)
  assert.instance(server, Server)
  assert.match(server.address, /^127\.0\.0\.1:\d+$/)
  await using remote = await connect(server.address)
  const theirs = await remote.table('t', { dim: 2, optimizer: sum() })
  await theirs.push(keys(1), floats(1, 2))
  const ours = await store.table('t')
  await ours.push(keys(1), floats(10, 20))
  same(await theirs.lookup(keys(1)), [11, 22])
  const { connections, sessions, requests, failures } = server.stats()
  assert.equal([connections, sessions, failures], [1, 1, 0])
  assert.ok(requests >= 3)
})

test('versions are made through a client', async ({ folder }) => {
  await using store = await open(join(folder, 's'))
  await using server = await serve(store)
  await using remote = await connect(server.address)
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys(1), floats(1))
  const first = await remote.commit({ cursor: { day: 3 }, name: 'prod' })
  assert.equal([first.version, first.cursor, first.rows], [1, { day: 3 }, 1])
  await table.push(keys(1, 2), floats(1, 1))
  await remote.commit()
  assert.equal(
    (await remote.versions()).map(({ version }) => version),
    [1, 2],
  )
  assert.equal(await remote.diff(1, 2), [{ name: 't', added: 1, removed: 0, changed: 1 }])
  await remote.rollback('prod')
  same(await table.lookup(keys(1, 2)), [1, 0])
  await remote.verify()
  assert.is(await codeOf(remote.apply('x')), 'ERR_UNSUPPORTED')
  assert.is(await codeOf(remote.snapshot(1, 'x')), 'ERR_UNSUPPORTED')
  assert.is(await codeOf(remote.at(1)), 'ERR_UNSUPPORTED')
})

test('what is wrong is named', async () => {
  await using store = await open(':memory:')
  for (const listen of ['0.0.0.0:0', '192.168.1.1:80', 'x', '127.0.0.1:65536', '']) {
    try {
      await serve(store, { listen })
      assert.unreachable(listen)
    } catch (error) {
      assert.instance(error, RangeError)
      assert.match((error as Error).message, /^listen: /)
    }
  }
  assert.match(await codeOf(serve({} as never)), /ERR_INVALID_ARGUMENT/)
  assert.match(await codeOf(serve(store, { threads: 0 })), /ERR_INVALID_ARGUMENT/)
  for (const servers of ['x', [], ['127.0.0.1:1', '127.0.0.1:1'], 'example.com:7070', 7]) {
    assert.is(await codeOf(connect(servers as string)), 'ERR_INVALID_ARGUMENT', String(servers))
  }
  assert.is(await codeOf(connect('127.0.0.1:1', { timeoutMs: 50 })), 'ERR_UNAVAILABLE')
  await using server = await serve(store)
  assert.is(await codeOf(serve(store, { listen: server.address })), 'ERR_UNAVAILABLE')
})

test('after close and stop, calls say so', async () => {
  await using store = await open(':memory:')
  const server = await serve(store)
  const remote = await connect(server.address, { timeoutMs: 100 })
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  await server.stop()
  await server.stop()
  assert.is(await codeOf(table.lookup(keys(1))), 'ERR_UNAVAILABLE')
  await remote.close()
  assert.is(await codeOf(table.lookup(keys(1))), 'ERR_CLOSED')
})

test('two servers share the keys of a table', async () => {
  await using a = await open(':memory:')
  await using b = await open(':memory:')
  await using first = await serve(a)
  await using second = await serve(b)
  await using remote = await connect([first.address, second.address])
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  const all = BigUint64Array.from({ length: 1000 }, (_, i) => BigInt(i))
  await table.push(all, new Float32Array(1000).fill(1))
  same(await table.lookup(all), new Float32Array(1000).fill(1))
  const rows = [(await a.stats()).rows, (await b.stats()).rows]
  assert.is(rows[0]! + rows[1]!, 1000)
  assert.ok(Math.min(...rows) > 350, String(rows))
  // Stores in memory have no versions, one by one or together.
  assert.is(await codeOf(remote.commit()), 'ERR_UNSUPPORTED')
  const seen: bigint[] = []
  for await (const page of table.scan({ rows: 100 })) seen.push(...page.keys)
  assert.equal(
    seen.sort((a, b) => Number(a - b)),
    [...all],
  )
})

test('two servers make one version', async ({ folder }) => {
  await using a = await open(join(folder, 'a'))
  await using b = await open(join(folder, 'b'))
  await using first = await serve(a)
  await using second = await serve(b)
  await using remote = await connect([first.address, second.address])
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  const all = BigUint64Array.from({ length: 1000 }, (_, i) => BigInt(i))
  await table.push(all, new Float32Array(1000).fill(1))
  const one = await remote.commit({ cursor: { step: 1 }, name: 'prod' })
  assert.equal([one.rows, one.cursor, one.names], [1000, { step: 1 }, ['prod']])
  await table.push(all, new Float32Array(1000).fill(1))
  await remote.commit({ cursor: { step: 2 } })
  assert.equal(
    (await remote.versions()).map(({ cursor }) => cursor),
    [{ step: 1 }, { step: 2 }],
  )
  const back = await remote.rollback('prod')
  assert.is(back.rolledBackTo, one.version)
  same(await table.lookup(all), new Float32Array(1000).fill(1))
})

test('the command serves until it is told to stop, and commits', async ({ folder }) => {
  const path = join(folder, 's')
  const { child, address, ended } = await serveCommand(path, '--listen', '127.0.0.1:0')
  const remote = await connect(address)
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys(5), floats(3))
  await remote.close()
  child.kill('SIGTERM')
  const [code, out] = await ended
  assert.is(code, 0)
  assert.match(out, /"version": 1/)
  await using store = await open(path)
  same(await (await store.table('t')).lookup(keys(5)), [3])
})

test('the command tells Prometheus what it does', async ({ folder }) => {
  const path = join(folder, 's')
  const flags = ['--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0']
  const { child, address, ended, said } = await serveCommand(path, ...flags)
  await using remote = await connect(address)
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys(5, 6), floats(3, 4))
  await table.lookup(keys(5))
  const { metrics } = JSON.parse(said()) as { metrics: string }
  const response = await fetch(`http://${metrics}/metrics`)
  const text = await response.text()
  assert.match(text, /^hotrow_rows 2$/m)
  assert.match(text, /^hotrow_connections 1$/m)
  assert.match(text, /^hotrow_operation_seconds_count\{operation="push"\} \d+$/m)
  assert.match(text, /^hotrow_request_seconds_count\{verb="LOOKUP",stage="work"\} 1$/m)
  assert.match(
    text,
    /^hotrow_request_seconds\{verb="CALL",stage="queue",quantile="0.5"\} [\d.e-]+$/m,
  )
  assert.match(text, /^hotrow_operation_seconds\{operation="lookup",quantile="0.99"\} [\d.e-]+$/m)
  for (const line of text.trimEnd().split('\n')) {
    assert.match(line, /^(?:# (?:HELP|TYPE) hotrow_\w+ .+|hotrow_\w+(?:\{[^}]*\})? [\d.e+-]+)$/)
  }
  assert.is((await fetch(`http://${metrics}/`)).status, 404)
  child.kill('SIGTERM')
  assert.is((await ended)[0], 0)
})

test('the command refuses addresses beyond this machine', ({ folder }) => {
  for (const flags of [
    ['--listen', '0.0.0.0:0'],
    ['--listen', '127.0.0.1:0', '--metrics', '0.0.0.0:9090'],
  ]) {
    const args = [kProgram, 'serve', join(folder, 's'), ...flags]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.is(status, 2, stderr)
    assert.match(stderr, /of this machine/)
  }
})

test('a server that is killed loses nothing silently', async ({ folder }) => {
  const path = join(folder, 's')
  const first = await serveCommand(path, '--listen', '127.0.0.1:0')
  await using remote = await connect(first.address)
  await using reader = await connect(first.address)
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  const read = await reader.table('t')
  await table.push(keys(5), floats(3))
  await remote.commit()
  await table.push(keys(5), floats(4))
  same(await read.lookup(keys(5)), [7])
  first.child.kill('SIGKILL')
  await first.ended
  const second = await serveCommand(path, '--listen', first.address)
  // Who has only read goes on, at the version that is there; who has pushed hears of it.
  same(await read.lookup(keys(5)), [3])
  assert.is(await codeOf(table.lookup(keys(5))), 'ERR_SESSION_EXPIRED')
  assert.is(await codeOf(table.push(keys(5), floats(1))), 'ERR_SESSION_EXPIRED')
  second.child.kill('SIGTERM')
  assert.is((await second.ended)[0], 0)
})

test.run()
