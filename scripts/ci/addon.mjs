// Drives the addon through its public API in a process that runs under AddressSanitizer: every call
// once or more, bad arguments, growth, two threads on one store, and close with work in flight.
// Plain JavaScript on dist/, because the sanitizer's runtime is loaded into whatever is started
// here.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import {
  adagrad,
  adam,
  ftrl,
  hashKey,
  keysOf,
  open,
  rowwiseAdagrad,
  sgd,
  slotKey,
  sum,
  uniform,
} from 'hotrow'

const kDim = 24
const kKeys = 5000

const keys = BigUint64Array.from({ length: kKeys }, (_, i) => hashKey(`key ${i}`))
const ones = (count) => new Float32Array(count).fill(1)

async function everyCall(store) {
  const optimizers = [sgd(), adagrad(), rowwiseAdagrad(), adam(), ftrl(), sum()]
  for (const [index, optimizer] of optimizers.entries()) {
    const options = { dim: kDim + index, optimizer, initializer: uniform(0.1), seed: 7n }
    const table = await store.table(`t${index}`, options)
    await table.push(keys, ones(kKeys * table.dim))
    const rows = await table.lookup(keys)
    assert.deepEqual(table.lookupSync(keys), rows)
    const offsets = Uint32Array.of(0, 1, 1, kKeys)
    const pooled = await table.lookupPooled(keys, offsets, { mode: 'mean' })
    await table.pushPooled(keys, offsets, pooled, { mode: 'sqrtn' })
    await table.update(keys.subarray(1, 9), ones(8 * table.dim))
    assert.equal(await table.erase(keys.subarray(0, 100)), 100)
    assert.equal((await table.stats()).rows, kKeys - 100)
  }
  const dense = await store.dense('w', { shape: [16, 3], optimizer: adam() })
  await dense.push(ones(48))
  await dense.update(await dense.pull())
  await store.drop('t0')
  await store.stats()
}

async function badArguments(store) {
  const table = await store.table('bad', { dim: kDim })
  const one = keysOf(['a', 1, 2n])
  const gone = new Float32Array(3 * kDim)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  const nan = ones(3 * kDim).fill(Number.NaN, 5, 6)
  const wrong = [
    () => table.lookup(new Float64Array(3)),
    () => table.lookup([1n]),
    () => table.lookup(one, { out: gone }),
    () => table.lookupSync(one, new Float32Array(1)),
    () => table.push(one, gone),
    () => table.push(one, ones(3 * kDim - 1)),
    () => table.push(one, nan),
    () => table.lookupPooled(one, Uint32Array.of(0, 4)),
    () => table.lookupPooled(one, Uint32Array.of(0, 2, 1, 3)),
    () => store.table('x', { dim: 0 }),
    () => store.table('bad', { dim: kDim + 1 }),
  ]
  for (const call of wrong) await assert.rejects(async () => call(), /./, call.toString())
  assert.equal((await table.stats()).rows, 0)
}

async function pushFromHere(store, slot) {
  const table = await store.table('shared', { dim: kDim, optimizer: sum() })
  const own = BigUint64Array.from({ length: 20_000 }, (_, i) => slotKey(slot, i % 15_000))
  for (let i = 0; i < own.length; i += 2000) {
    const part = own.subarray(i, i + 2000)
    const looked = table.lookup(part)
    await Promise.all([table.push(part, ones(part.length * kDim)), looked])
  }
}

async function main() {
  const { sharedObjects } = process.report.getReport()
  assert.ok(sharedObjects.includes(process.env.HOTROW_NATIVE_PATH), 'another addon was loaded')
  const store = await open(':memory:asan', { threads: 2 })
  await everyCall(store)
  await badArguments(store)
  const worker = new Worker(new URL(import.meta.url), { workerData: { slot: 2 } })
  await Promise.all([pushFromHere(store, 1), once(worker, 'exit')])
  const table = await store.table('shared', { dim: kDim, optimizer: sum() })
  assert.equal((await table.stats()).rows, 30_000)
  globalThis.gc?.()
  const late = table.lookup(keys).catch((error) => error)
  await store.close()
  await late
  assert.throws(() => table.lookupSync(keys), { code: 'ERR_CLOSED' })
}

if (isMainThread) {
  await main()
  console.log('addon: all checks passed')
} else await pushFromHere(await open(':memory:asan'), workerData.slot)
