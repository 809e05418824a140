// Seeing it: times of requests by stage, verb and table, and traces of client and server that
// belong together. Stages one by one: test/native/client/sight_test.cc.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, open, type ServerOptions, serve, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { metricsText } from '../../lib/cli/metrics.ts'
import { floats, keys, same } from './support/arrays.ts'
import { kProgram, serveCommand } from './support/serve-command.ts'

const test = suite<{ folder: string }>('seeing')

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

interface Event {
  ph: string
  pid: number
  tid: number
  name: string
  ts: number
  dur: number
  id?: string
  args: { trace?: string; request?: string; table?: string; name?: string }
}

const eventsOf = (path: string): Event[] => JSON.parse(readFileSync(path, 'utf8')) as Event[]

test('a store of others says what its way there costs, and what they do', async () => {
  await using store = await open(':memory:')
  await using server = await serve(store)
  await using remote = await connect(server.address)
  const table = await remote.table('__proto__', { dim: 1, optimizer: sum() })
  for (let i = 0; i < 3; ++i) await table.push(keys(i), floats(1))
  await table.lookup(keys(1))
  const { remote: figures } = await remote.stats()
  assert.is(figures!.latency.PUSH!.wait.count, 3)
  assert.is(figures!.latency.LOOKUP!.encode.count, 1)
  assert.equal(Object.keys(figures!.latency.PUSH!), ['encode', 'send', 'wait', 'decode'])
  const [mine] = figures!.tableLatency.filter(({ verb }) => verb === 'PUSH')
  assert.equal([mine!.table, mine!.wait.count], ['__proto__', 3])
  const [its] = figures!.servers
  assert.equal([its!.server, its!.connections, its!.failures], [server.address, 1, 0])
  const stages = ['queue', 'decode', 'work', 'encode', 'send']
  assert.equal(Object.keys(its!.latency.PUSH!), stages)
  for (const stage of stages as ['work']) assert.is(its!.latency.PUSH![stage].count, 3, stage)
  // A server may be done before the client has come back from sending: it works between the two.
  const { send, wait } = figures!.latency.PUSH!
  assert.ok(its!.latency.PUSH!.work.meanNs <= send.maxNs + wait.maxNs)
  assert.is(server.stats().tableLatency.find(({ verb }) => verb === 'LOOKUP')!.work.count, 1)
  assert.is((await store.stats()).remote, null)
})

test('Prometheus reads tables whatever their names are', async () => {
  await using store = await open(':memory:')
  await using server = await serve(store)
  await using remote = await connect(server.address)
  const name = 'a "b"\\c\nd} 1'
  const table = await remote.table(name, { dim: 1, optimizer: sum() })
  await table.push(keys(1), floats(1))
  const text = metricsText(await store.stats(), server.stats())
  const sample = /^[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? [\d.e+-]+$/
  for (const line of text.trimEnd().split('\n')) {
    if (!line.startsWith('#')) assert.match(line, sample)
  }
  const labels = 'table="a \\"b\\"\\\\c\\nd} 1",verb="PUSH",stage="work"'
  assert.ok(text.includes(`\nhotrow_table_request_seconds_count{${labels}} 1\n`), text)
  assert.match(text, /^hotrow_request_seconds_count\{verb="PUSH",stage="send"\} 1$/m)
  assert.match(text, /^# TYPE hotrow_table_request_seconds summary$/m)
  assert.not.match(text, /verb="CALL",stage="encode"/)
})

/** Bars that lie in another one of their lane. */
function within(events: Event[], outer: Event): string[] {
  const rounding = 0.002
  return events
    .filter(({ ph, pid, tid }) => ph === 'X' && pid === outer.pid && tid === outer.tid)
    .filter(({ ts }) => ts >= outer.ts - rounding && ts < outer.ts + outer.dur)
    .filter((each) => each !== outer)
    .map((each) => {
      const late = each.ts + each.dur - outer.ts - outer.dur
      assert.ok(late <= rounding, `${each.name} is ${late} us longer than ${outer.name}`)
      return each.name
    })
}

test('a step is seen on its way through client and server', async ({ folder }) => {
  const [mine, theirs, all] = ['client', 'server', 'all'].map((name) =>
    join(folder, `${name}.json`),
  ) as [string, string, string]
  const flags = ['--listen', '127.0.0.1:0', '--trace', theirs]
  const { child, address, ended } = await serveCommand(join(folder, 's'), ...flags)
  const remote = await connect(address, { trace: mine })
  const table = await remote.table('user', { dim: 4, optimizer: sum() })
  await table.push(keys(1, 2), new Float32Array(8).fill(1))
  same(await table.lookup(keys(2)), [1, 1, 1, 1])
  await remote.close()
  child.kill('SIGTERM')
  assert.is((await ended)[0], 0)
  // Whole though the table's object is still there.
  assert.is(eventsOf(mine).at(-1)!.name, 'hotrow_end')
  assert.is(await codeOf(table.lookup(keys(1))), 'ERR_CLOSED')

  const merge = ['trace', 'merge', '--from', mine, '--from', theirs, '--to', all]
  const merged = spawnSync(process.execPath, [kProgram, ...merge], { encoding: 'utf8' })
  assert.is(merged.status, 0, merged.stderr)
  const events = eventsOf(all)
  assert.is(events.length, eventsOf(mine).length + eventsOf(theirs).length)
  const bars = events.filter(({ ph }) => ph === 'X')
  const call = bars.find(({ name }) => name === 'lookup')!
  assert.is(call.args.table, 'user')
  assert.equal(within(events, call), ['split', 'wait'])
  const step = bars.filter(({ args }) => args.trace === call.args.trace)
  const [asked, answered] = step.filter(({ name }) => name === 'LOOKUP')
  assert.is.not(asked!.pid, answered!.pid)
  assert.is(asked!.args.request, answered!.args.request)
  assert.is(answered!.pid, child.pid)
  assert.equal(within(events, asked!), ['encode', 'send', 'wait', 'decode'])
  assert.equal(within(events, answered!), ['queue', 'decode', 'work', 'encode', 'send'])
  // One machine has one clock.
  assert.ok(asked!.ts <= answered!.ts && answered!.ts <= asked!.ts + asked!.dur)
  const arrows = events.filter(({ id }) => id === asked!.args.request)
  assert.equal(
    arrows.map(({ ph, pid, tid }) => [ph, pid, tid]),
    [
      ['s', asked!.pid, asked!.tid],
      ['f', answered!.pid, answered!.tid],
    ],
  )
})

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: Error & { code?: string }) => `${error.code ?? error.message}`,
  )

test('without a trace there is none, and requests say nothing of one', async ({ folder }) => {
  const theirs = join(folder, 'server.json')
  await using store = await open(':memory:')
  const server = await serve(store, { trace: theirs })
  await using remote = await connect(server.address)
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys(1), floats(1))
  await server.stop()
  const push = eventsOf(theirs).find(({ name }) => name === 'PUSH')
  assert.equal(push!.args, { table: 't' })
})

test('a trace that cannot be written is an error at the start', async ({ folder }) => {
  const nowhere = join(folder, 'nowhere', 'trace.json')
  await using store = await open(':memory:')
  await using server = await serve(store)
  const wrong: (() => Promise<unknown>)[] = [
    () => serve(store, { trace: nowhere }),
    () => connect(server.address, { trace: nowhere }),
    () => serve(store, { trace: 7 } as unknown as ServerOptions),
    () => connect(server.address, { trace: '' }),
    () => connect(server.address, { trace: 'a\0b' }),
  ]
  for (const start of wrong) assert.is(await codeOf(start()), 'ERR_INVALID_ARGUMENT')
  const args = [kProgram, 'serve', join(folder, 's'), '--listen', '127.0.0.1:0']
  const { status, stderr } = spawnSync(process.execPath, [...args, '--trace', nowhere], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  assert.is(status, 1)
  assert.ok(stderr.includes(nowhere) && stderr.includes('trace: '), stderr)
})

test('merging moves other machines and names what is no trace', ({ folder }) => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const trace = (boot: string, aheadNs: string): string =>
    [
      '[',
      '{"ph":"M","pid":7,"tid":0,"name":"hotrow_clock",' +
        `"args":{"boot":"${boot}","aheadNs":"${aheadNs}"}},`,
      '{"ph":"X","pid":7,"tid":1,"name":"n","ts":100.5,"dur":1}',
    ].join('\n')
  const run = (to: string, ...from: string[]) =>
    spawnSync(
      process.execPath,
      [kProgram, 'trace', 'merge', ...from.flatMap((each) => ['--from', each]), '--to', to],
      { encoding: 'utf8' },
    )
  const first = file('a', `${trace('x', '9000000000000000000')},\n{"ph":"X","pid":7,"ti`)
  const second = file('b', trace('y', '9000000000000002000'))
  const third = file('c', `${trace('x', '9000000000000009000')}\n]\n`)
  const to = join(folder, 'all')
  assert.is(run(to, first, second, third).status, 0)
  const bars = eventsOf(to).filter(({ ph }) => ph === 'X')
  assert.equal(
    bars.map(({ pid, ts }) => [pid, ts]),
    [
      [7, 100.5],
      [8, 102.5],
      [9, 100.5],
    ],
  )
  const noTrace = run(join(folder, 'more'), file('d', '{}\n'))
  assert.is(noTrace.status, 1)
  assert.match(noTrace.stderr, /d: is no trace of hotrow/)
  // Nothing half made is left, which would refuse the next try.
  assert.is(run(join(folder, 'more'), first).status, 0)
  assert.match(run(join(folder, 'e'), file('f', '[\nx\ny\n')).stderr, /f:2: is no event/)
  assert.is(run(to, first).status, 1, 'nothing is overwritten')
  assert.is(run(join(folder, 'g')).status, 2)
})

test.run()
