// Dense parameters in chunks over two servers, through a network that counts bytes and breaks: each
// chunk has every push once, and what has not changed is not sent again.

import { adam, connect, open, type Server, type Store, serve, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomNumbers } from '../lib/support/arrays.ts'
import { CuttingProxy } from './cutting-proxy.ts'

const test = suite('dense chunks')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kSeed = Number(process.env['HOTROW_TEST_SEED'] ?? 9)
const kValues = 600_000
const shape = [3, kValues / 3]

/** Two servers, each behind a proxy; `budget()`: bytes after which a connection is cut. */
class Cluster {
  readonly stores: Store[] = []
  readonly servers: Server[] = []
  readonly proxies: CuttingProxy[] = []

  async start(budget: () => number): Promise<this> {
    for (let i = 0; i < 2; i++) {
      const store = await open(':memory:')
      const server = await serve(store)
      this.stores.push(store)
      this.servers.push(server)
      this.proxies.push(await new CuttingProxy(server.address, budget).listen())
    }
    return this
  }
  get addresses(): string[] {
    return this.proxies.map((proxy) => proxy.address)
  }
  get bytes(): number {
    return this.proxies.reduce((sum, proxy) => sum + proxy.bytes, 0)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.proxies) await proxy[Symbol.asyncDispose]()
    for (const server of this.servers) await server.stop()
    for (const store of this.stores) await store.close()
  }
}

test('what has not changed is not sent again', async () => {
  await using cluster = await new Cluster().start(() => Number.POSITIVE_INFINITY)
  await using remote = await connect(cluster.addresses)
  await using other = await connect(cluster.addresses)
  const dense = await remote.dense('w', { shape, optimizer: adam() })
  const theirs = await other.dense('w')
  const read = async (): Promise<number> => {
    const before = cluster.bytes
    const values = await dense.pull()
    assert.equal(Buffer.from(values.buffer), Buffer.from((await theirs.pull()).buffer))
    return cluster.bytes - before
  }
  const whole = 4 * kValues
  await theirs.push(new Float32Array(kValues).fill(1))
  await read()
  await read()
  const unchanged = await read()
  assert.ok(unchanged < 8192, `${unchanged} bytes for two reads of nothing new`)
  await theirs.push(new Float32Array(kValues).fill(-2))
  const changed = await read()
  assert.ok(changed > 2 * whole && changed < 2 * whole + 8192, `${changed} bytes`)
  console.log(`${unchanged} bytes of ${2 * whole} where nothing has changed`)
})

/** What goes over one server's connection for a push. */
async function bytesOfOnePush(): Promise<number> {
  await using cluster = await new Cluster().start(() => Number.POSITIVE_INFINITY)
  const proxy = cluster.proxies[0] as CuttingProxy
  await using remote = await connect(cluster.addresses)
  const dense = await remote.dense('w', { shape, optimizer: sum() })
  const before = proxy.bytes
  await dense.push(new Float32Array(kValues))
  return proxy.bytes - before
}

test('pushes through connections that break are applied once to every chunk', async () => {
  console.log(`seed ${kSeed}`)
  const random = randomNumbers(kSeed)
  const push = await bytesOfOnePush()
  // Anywhere in a frame, or about where the reply to the first push of a connection is, behind its
  // greeting: such a push comes again.
  const budget = (): number =>
    random() < 0.5
      ? push + Math.floor(random() * 2_000)
      : 5_000 + Math.floor(random() ** 2 * 8_000_000)
  await using cluster = await new Cluster().start(budget)
  const rounds = 120 * kScale
  const ones = new Float32Array(kValues).fill(1)
  await Promise.all(
    Array.from({ length: 2 }, async () => {
      await using remote = await connect(cluster.addresses, { timeoutMs: 60_000 })
      const dense = await remote.dense('w', { shape, optimizer: sum() })
      for (let round = 1; round <= rounds; round++) await dense.push(ones)
    }),
  )
  await using remote = await connect(cluster.addresses, { timeoutMs: 60_000 })
  const dense = await remote.dense('w')
  assert.equal(new Set(await dense.pull()), new Set([2 * rounds]))
  assert.is((await dense.pullState()).steps, 2 * rounds)
  const cuts = cluster.proxies.reduce((all, proxy) => all + proxy.cuts, 0)
  const repeated = cluster.servers.reduce((all, server) => all + server.stats().repeated, 0)
  console.log(`${cuts} connections cut, ${repeated} pushes came twice`)
  assert.ok(cuts > 10, 'the proxies cut too few')
  assert.ok(repeated > 0, 'no push came twice')
})

test.run()
