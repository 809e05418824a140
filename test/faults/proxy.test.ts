// Guarantees S2 to S5 under a network that fails: between clients and their server stands a proxy
// that holds bytes back and cuts connections in the midst of frames. Vector-clock rows tell what
// became of every push: client c adds 1 to lane c of a group of rows, all in one call.

import { connect, open, serve, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomNumbers } from '../lib/support/arrays.ts'
import { CuttingProxy } from './cutting-proxy.ts'

const test = suite('proxy')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kSeed = Number(process.env['HOTROW_TEST_SEED'] ?? 5)
const kClients = 3
const kRows = 64

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
  const budget = (): number => Math.floor(random() ** 2 * 40_000)
  await using proxy = await new CuttingProxy(server.address, budget).listen()
  const rounds = 400 * kScale
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
})

test('a server out of reach fails calls by their deadline', async () => {
  await using store = await open(':memory:')
  await using server = await serve(store)
  const endless = (): number => Number.POSITIVE_INFINITY
  await using proxy = await new CuttingProxy(server.address, endless).listen()
  await using remote = await connect(proxy.address, { timeoutMs: 1500 })
  const table = await remote.table('t', { dim: 1, optimizer: sum() })
  const one = BigUint64Array.of(1n)
  const failure = (call: Promise<unknown>): Promise<{ code?: string; outcome?: string }> =>
    call.then(
      () => ({}),
      (error) => error,
    )
  proxy.hold()
  const pushed = await failure(table.push(one, Float32Array.of(1)))
  assert.equal([pushed.code, pushed.outcome], ['ERR_TIMEOUT', 'unknown'])
  assert.is((await failure(table.lookup(one))).code, 'ERR_TIMEOUT')
  proxy.release()
  await table.push(one, Float32Array.of(1))
  // The push that timed out was under way, and was applied once.
  assert.equal([...(await table.lookup(one))], [2])
})

test.run()
