// Guarantees S2 to S5 under a network that fails: between clients and their server stands a proxy
// that delays, cuts and drops connections in the midst of frames. Vector-clock rows tell what
// became of every push: client c adds 1 to lane c of a group of rows, all in one call.

import { createServer, connect as dial, type Server as NetServer, type Socket } from 'node:net'
import { connect, open, serve, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomNumbers } from '../lib/support/arrays.ts'

const test = suite('proxy')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kSeed = Number(process.env['HOTROW_TEST_SEED'] ?? 5)
const kClients = 3
const kRows = 64

interface Proxy {
  address: string
  cuts: number
  close(): Promise<void>
}

/** Passes bytes both ways; most connections end after some bytes, some pieces come late. */
async function proxyOf(address: string, random: () => number): Promise<Proxy> {
  const [host, port] = address.split(':') as [string, string]
  const open = new Set<Socket>()
  const state = { cuts: 0 }
  const server: NetServer = createServer((near) => {
    const far = dial(Number(port), host)
    let left = random() < 0.1 ? Number.POSITIVE_INFINITY : Math.floor(random() ** 3 * 400_000)
    const end = (): void => {
      near.destroy()
      far.destroy()
    }
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from)
      from.setNoDelay(true)
      from.on('error', end)
      from.on('close', () => {
        open.delete(from)
        end()
      })
      from.on('data', (bytes: Buffer) => {
        const part = bytes.subarray(0, Math.min(bytes.length, left))
        left -= part.length
        const pass = (): void => {
          if (!to.destroyed) to.write(part)
          if (left > 0) return
          state.cuts++
          // What was written may still go out, or not.
          if (random() < 0.5) to.end()
          setTimeout(end, random() * 3)
        }
        if (random() < 0.02) setTimeout(pass, random() * 10)
        else pass()
      })
    }
  })
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done)
  })
  const { port: own } = server.address() as { port: number }
  return {
    address: `127.0.0.1:${own}`,
    get cuts() {
      return state.cuts
    },
    close: () =>
      new Promise((done) => {
        for (const socket of open) socket.destroy()
        server.close(() => done())
      }),
  }
}

const keys = BigUint64Array.from({ length: kRows }, (_, i) => BigInt(i * 1000))

function lane(client: number): Float32Array {
  const ones = new Float32Array(kRows * kClients)
  for (let row = 0; row < kRows; row++) ones[row * kClients + client] = 1
  return ones
}

/** Each row is as every other, and lane `client` is what it pushed. */
function expectWhole(rows: Float32Array, client: number, pushed: number): void {
  for (let i = kClients; i < rows.length; i++) assert.is(rows[i], rows[i % kClients], 'a torn push')
  assert.is(rows[client], pushed, `lane ${client}`)
}

test('pushes through connections that break are applied once', async () => {
  console.log(`seed ${kSeed}`)
  const random = randomNumbers(kSeed)
  await using store = await open(':memory:')
  await using server = await serve(store)
  const own = await store.table('t', { dim: kClients, optimizer: sum() })
  const proxy = await proxyOf(server.address, random)
  const rounds = 200 * kScale
  await Promise.all(
    Array.from({ length: kClients }, async (_, client) => {
      await using remote = await connect(proxy.address, { timeoutMs: 60_000 })
      const table = await remote.table('t')
      for (let round = 1; round <= rounds; round++) {
        await table.push(keys, lane(client))
        if (round % 4 === 0) expectWhole(await table.lookup(keys), client, round)
      }
    }),
  )
  const rows = await own.lookup(keys)
  assert.equal(new Set(rows), new Set([rounds]))
  const { repeated, failures } = server.stats()
  console.log(`${proxy.cuts} connections cut, ${repeated} pushes came twice`)
  assert.ok(proxy.cuts > 20, 'the proxy cut too few')
  assert.ok(repeated > 0, 'no push came twice')
  assert.is(failures, 0)
  await proxy.close()
})

test('a server out of reach fails calls by their deadline', async () => {
  await using store = await open(':memory:')
  await using server = await serve(store)
  const [host, port] = server.address.split(':') as [string, string]
  // Bytes go nowhere while it is closed, as behind a network that drops them.
  let closed = false
  const held: (() => void)[] = []
  const gate = createServer((near) => {
    const far = dial(Number(port), host)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      from.on('data', (bytes: Buffer) => {
        if (closed) held.push(() => to.write(bytes))
        else to.write(bytes)
      })
    }
  })
  await new Promise<void>((done) => {
    gate.listen(0, '127.0.0.1', done)
  })
  const address = `127.0.0.1:${(gate.address() as { port: number }).port}`
  const remote = await connect(address, { timeoutMs: 400 })
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  const one = BigUint64Array.of(1n)
  closed = true
  const push = await table.push(one, Float32Array.of(1)).catch((error: { code: string }) => error)
  assert.is((push as { code: string }).code, 'ERR_TIMEOUT')
  assert.is((push as unknown as { outcome: string }).outcome, 'unknown')
  const lookup = await table.lookup(one).catch((error: { code: string }) => error)
  assert.is((lookup as { code: string }).code, 'ERR_TIMEOUT')
  closed = false
  for (const pass of held) pass()
  await table.push(one, Float32Array.of(1))
  // The push that timed out was under way, and was applied once.
  assert.equal([...(await table.lookup(one))], [2])
  await remote.close()
  gate.close()
})

test.run()
