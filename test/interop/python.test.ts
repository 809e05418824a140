// The wire protocol as another language speaks it: a client in Python, written from docs/FORMATS.md
// alone, against what the served store itself says. Rows go both ways and are compared bit by bit.

import { spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  adagrad,
  type Dense,
  open,
  type Server,
  type Store,
  serve,
  sgd,
  sum,
  type Table,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { keyRange, keys, kLastKey, randomFloats, same } from '../lib/support/arrays.ts'

const kClient = fileURLToPath(new URL('hotrow_client.py', import.meta.url))
const kRows = 100
// The client's bags.
const kKeys = keys(0, 1, 2)
const kOffsets = Uint32Array.of(0, 1, 1, 3)
const kWeights = Float32Array.of(1, 0.5, 2)

/** What the client prints; arrays in hexadecimal digits. */
interface Said {
  welcome: { session: string; resumed: boolean; run: string; path: string; mostBodyBytes: number }
  made: { name: string; stateValues: number; options: { dim: number; optimizer: object } }
  there: { name: string; stateValues: number; options: { dim: number } }
  pushed: number
  rows: string
  found: string
  erased: number
  both: [string, string]
  bothFound: string
  state: string
  pooled: string
  scanned: string[]
  stats: { rows: number; pushes: number }
  dense: { size: number; options: { shape: number[] } }
  values: string
  pushedValues: string
  steps: number
  conflict: { code: number; text: string }
  unknown: { code: number; text: string }
  short: { code: number; text: string }
  noCall: { code: number; text: string }
  resumed: boolean
  once: number[]
  expired: { code: number; text: string }
  thrice: number[]
  refused: number[]
  ended: boolean
}

interface Context {
  store: Store
  server: Server
  table: Table
  dense: Dense
  /** What the store said of its rows before the client came. */
  rows: Float32Array
  state: Float32Array
  pooled: Float32Array
  said: Said
}

const test = suite<Context>('python')
const absent = spawnSync('python3', ['--version'], { stdio: 'ignore' }).status !== 0
if (absent) console.log('skip: python3 not installed')
const check = absent ? test.skip : test

const hex = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')

/** Runs the client, while this process serves; gives what it prints. */
function python(...args: string[]): Promise<string> {
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
  // Without a cache of its bytecode: tests leave nothing in the tree.
  const child = spawn('python3', ['-B', kClient, ...args], { stdio, timeout: 60_000 })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code, signal) => {
      if (code === 0) done(out)
      else fail(new Error(`the client ended with ${code ?? signal}:\n${err}`))
    })
  })
}

test.before(async (context) => {
  if (absent) return
  const store = await open(':memory:')
  const server = await serve(store)
  const table = await store.table('node', { dim: 2, optimizer: adagrad({ learningRate: 0.1 }) })
  await table.push(keyRange(0, kRows), randomFloats(kRows * 2, 1))
  await table.push(keys(kLastKey), randomFloats(2, 2))
  const dense = await store.dense('weights', { shape: [2, 2], optimizer: sgd() })
  await dense.update(randomFloats(4, 3))
  Object.assign(context, {
    ...{ store, server, table, dense },
    rows: await table.lookup(keys(...keyRange(0, kRows), kLastKey)),
    state: await table.lookupState(keys(0, 1)),
    pooled: await table.lookupPooled(kKeys, kOffsets, { weights: kWeights, mode: 'mean' }),
  })
})
test.after(async ({ store, server }) => {
  await server?.stop()
  await store?.close()
})

check('its xxh3 is that of xxHash', async () => {
  await python('check')
})

check('a conversation ends well', async (context) => {
  const { dense, server } = context
  const values = hex(await dense.pull())
  context.said = JSON.parse(await python('talk', server.address)) as Said
  assert.is(context.said.values, values)
})

check('HELLO tells what the server is', ({ said }) => {
  const { welcome } = said
  assert.match(welcome.session, /^[0-9a-f]{32}$/)
  assert.match(welcome.run, /^[0-9a-f]{32}$/)
  assert.is(welcome.resumed, false)
  assert.is(welcome.path, ':memory:')
  assert.is(welcome.mostBodyBytes, 2 ** 26)
})

check('rows that Python has pushed and assigned are those that Node sees', async (context) => {
  const { said, store } = context
  const table = await store.table('python', { dim: 3, optimizer: sum() })
  assert.equal([said.made.name, said.made.options.dim, said.made.stateValues], ['python', 3, 0])
  const bits = Uint32Array.of(
    ...[0x3dcccccd, 0x00000001, 0x7f7fffff, 0xc2f6e979, 0x80000001, 0x3f7fffff],
  )
  const found = new Uint8Array(1)
  const rows = await table.lookup(keys(1, kLastKey, 3, 4), { found })
  const [first, last] = [bits.slice(0, 3), bits.slice(3)]
  const assigned = bits.slice().reverse().slice(0, 3)
  assert.equal(
    new Uint32Array(rows.buffer, rows.byteOffset, 12),
    Uint32Array.of(...first, ...last, ...assigned, 0, 0, 0),
  )
  assert.is(found[0], 0b0111, 'key 4 was erased')
  const missing = Float32Array.of(7.5, 7.5, 7.5)
  assert.is(said.rows, hex(rows.slice(0, 3)) + hex(missing) + hex(rows.slice(3, 6)))
  assert.is(said.found, '05')
  assert.equal([said.pushed, said.erased], [0, 1])
  assert.is(said.stats.rows, 3)
  assert.is((await table.stats()).rows, 3)
})

check('rows that Node has pushed are those that Python reads', ({ said, rows, state, pooled }) => {
  assert.equal([said.there.options.dim, said.there.stateValues], [2, 2])
  assert.is(said.both[1], hex(rows))
  assert.is(said.both[0].length, 2 * 12, 'the other table of the message')
  assert.is(said.bothFound, `${'ff'.repeat(12)}1f`)
  assert.is(said.state, hex(state))
  assert.is(said.pooled, hex(pooled))
})

check('pages have every key once', ({ said }) => {
  const expected = [...keyRange(0, kRows), kLastKey].map(String)
  assert.equal([...said.scanned].sort(), expected.sort())
})

check('gradients of bags do what they do in this process', async ({ store, table }) => {
  const twin = await store.table('twin', { dim: 2, optimizer: adagrad({ learningRate: 0.1 }) })
  await twin.push(keyRange(0, kRows), randomFloats(kRows * 2, 1))
  const gradients = Float32Array.of(1, 2, 0, 0, 4, 8)
  await twin.pushPooled(kKeys, kOffsets, gradients, { weights: kWeights })
  const batch = keyRange(0, kRows)
  assert.is(hex(await table.lookup(batch)), hex(await twin.lookup(batch)))
})

check('a dense parameter goes both ways', async ({ said, dense }) => {
  assert.equal([said.dense.size, said.dense.options.shape], [4, [2, 2]])
  const { values, steps } = await dense.pullState()
  assert.is(said.pushedValues, hex(values))
  assert.is(said.steps, steps)
  const before = new Float32Array(Uint8Array.from(Buffer.from(said.values, 'hex')).buffer)
  same(
    values,
    before.map((value, i) => Math.fround(value - 0.5 * (i + 1))),
  )
})

check('failures come with their code and a sentence', ({ said }) => {
  assert.is(said.conflict.code, 3)
  assert.match(said.conflict.text, /dim/)
  assert.is(said.unknown.code, 4)
  assert.is(said.short.code, 1)
  assert.ok(said.short.text.length > 0)
  assert.is(said.noCall.code, 5)
})

check('a change that comes again is applied once', async ({ said, store, server }) => {
  assert.is(said.resumed, true)
  assert.equal(said.once, [1, 2, 3])
  assert.is(server.stats().repeated, 2)
  assert.is(said.expired.code, 16)
  assert.equal(said.thrice, [3, 6, 9], 'with the next number, and with none')
  const table = await store.table('repeated', { dim: 3, optimizer: sum() })
  same(await table.lookup(keys(9)), [3, 6, 9])
})

check('what is no frame is answered, and ends the connection', ({ said, server }) => {
  assert.equal(said.refused, [1, 0, 17])
  assert.is(said.ended, true)
  assert.is(server.stats().refused, 1)
})

check('the connections that ended are gone', async ({ server }) => {
  for (let i = 0; i < 100 && server.stats().connections > 0; i++) await sleep(10)
  assert.is(server.stats().connections, 0)
})

test.run()
