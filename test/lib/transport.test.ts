// `transport`: what may be asked for, what is said where it cannot be had, and shared memory
// between two processes of Node. Which calls do what over it: contract.test.ts.

import { connect, open, type Server, StoreError, serve } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runProgram } from './support/children.ts'

const test = suite('transport')

/** A server over shared memory, or why there is none. */
async function served(): Promise<{ server: Server; close: () => Promise<void> } | string> {
  const store = await open(':memory:')
  try {
    const server = await serve(store, { transport: 'shm' })
    const close = () => server.stop().then(() => store.close())
    return { server, close }
  } catch (error) {
    await store.close()
    if (!(error instanceof StoreError) || error.code !== 'ERR_UNSUPPORTED') throw error
    assert.match(error.message, 'UCX')
    return error.message
  }
}

test('what is no transport is named', async () => {
  const store = await open(':memory:')
  const message = /^transport: expected one of 'tcp', 'auto', 'shm', 'rdma'/
  for (const options of [{ transport: 'udp' }, { transport: 1 }] as unknown[]) {
    for (const call of [
      serve(store, options as object),
      connect('127.0.0.1:1', options as object),
    ]) {
      const error = await call.then(
        () => assert.unreachable(),
        (reason: Error) => reason,
      )
      assert.match((error as Error).message, message)
    }
  }
  await store.close()
})

test('a server that speaks TCP only is left at once by whoever wants more', async () => {
  const store = await open(':memory:')
  const server = await serve(store)
  const started = performance.now()
  const error = await connect(server.address, { transport: 'shm' }).then(
    () => assert.unreachable(),
    (reason: unknown) => reason as StoreError,
  )
  assert.is((error as StoreError).code, 'ERR_UNSUPPORTED')
  assert.ok(performance.now() - started < 9000)
  // 'auto' takes what there is.
  const client = await connect(server.address, { transport: 'auto' })
  await client.table('t', { dim: 2 })
  assert.is(server.stats().fabric, 0)
  await client.close()
  await server.stop()
  await store.close()
})

test('without a device for RDMA a server does not start, and says why', async () => {
  const store = await open(':memory:')
  const made = await serve(store, { transport: 'rdma' }).catch((reason: unknown) => reason)
  if (made instanceof StoreError) {
    assert.is(made.code, 'ERR_UNSUPPORTED')
    assert.match(made.message, /UCX finds no device for RDMA|shared memory and RDMA need UCX/)
  } else {
    await (made as Server).stop()
  }
  await store.close()
})

const kClient = `
import { connect, sum } from 'hotrow'
const store = await connect(process.env.ADDRESS, { transport: process.env.TRANSPORT })
const table = await store.table('t', { dim: 64, optimizer: sum() })
const keys = BigUint64Array.from({ length: 10_000 }, (_, i) => BigInt(i))
for (let round = 1; round <= 10; round++) {
  await table.push(keys, new Float32Array(keys.length * 64).fill(1))
  const rows = await table.lookup(keys)
  if (!rows.every((value) => value === round)) throw new Error('round ' + round)
}
console.log('all rounds')
// A handler of its own for SIGHUP still works, and a process that ends without a word is fine.
process.once('SIGHUP', () => process.exit(7))
process.kill(process.pid, 'SIGHUP')
setInterval(() => {}, 1000)
`

for (const transport of ['shm', 'auto']) {
  test(`processes of Node by '${transport}'`, async () => {
    const made = await served()
    if (typeof made === 'string') {
      console.log(`skipped: ${made}`)
      return
    }
    const { server, close } = made
    const ended = await runProgram(kClient, {
      env: { ADDRESS: server.address, TRANSPORT: transport },
      timeoutMs: 60_000,
    })
    assert.ok(ended.output.includes('all rounds'), ended.output)
    assert.is(ended.code, 7, ended.output)
    assert.is(server.stats().refused, 0)
    await close()
  })
}

test.run()
