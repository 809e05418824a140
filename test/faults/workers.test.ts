// Several threads on one store: workers and the main thread share rows by path, no push of any of
// them is lost (guarantee E1), and nobody sees half of one (E2).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, same } from '../lib/support/arrays.ts'
import { ended, nextMessage, startWorker } from './workers.ts'

const test = suite('workers')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)

test('rows pushed in a worker are seen here while it lives and after its end', async () => {
  const path = ':memory:worker-push'
  await using store = await open(path)
  const table = await store.table('t', { dim: 4, optimizer: sum() })
  const worker = startWorker({ task: 'push', path, count: 100, stay: true })
  assert.equal(await nextMessage(worker), { rows: 100 })
  same(await table.lookup(keyRange(98, 4)), [...filled(8, 1), ...filled(8, 0)])
  await table.push(keyRange(0, 200), filled(800, 1))
  worker.postMessage('end')
  assert.is(await ended(worker), 0)
  same(table.lookupSync(keyRange(98, 4)), [...filled(8, 2), ...filled(8, 1)])
  assert.is((await table.stats()).rows, 200)
})

test('a path on disk is one store for all threads', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  await using store = await open(join(folder, 'no-such-folder', 'model'))
  const table = await store.table('t', { dim: 4, optimizer: sum() })
  const worker = startWorker({ task: 'push', path: store.path, count: 10 })
  assert.is(await ended(worker), 0)
  assert.is((await table.stats()).rows, 10)
  rmSync(folder, { recursive: true, force: true })
})

test('private stores are private to their opener, in workers too', async () => {
  await using store = await open(':memory:')
  await store.table('t', { dim: 4, optimizer: sum() })
  const worker = startWorker({ task: 'push', path: ':memory:', count: 10 })
  assert.equal(await nextMessage(worker), { rows: 10 })
  assert.is(await ended(worker), 0)
  assert.is((await store.stats()).rows, 0)
})

test('a store that only a worker had open goes with the worker', async () => {
  const path = ':memory:worker-only'
  for (let round = 0; round < 3; round++) {
    const worker = startWorker({ task: 'push', path, count: 10 })
    assert.equal(await nextMessage(worker), { rows: 10 }, `round ${round} began empty`)
    assert.is(await ended(worker), 0)
  }
  await using store = await open(path)
  assert.equal(await store.tables(), [])
})

/** Throws unless the row is whole: the second half of its lanes mirrors the first. */
function checkWhole(row: Float32Array, clients: number): void {
  for (let lane = 0; lane < clients; lane++) {
    if (row[lane] === row[lane + clients]) continue
    throw new Error(`half a row: ${[...row]}`)
  }
}

/** Looks at all keys: rows are whole, and no lane ever goes back. */
function look(table: Table, keys: BigUint64Array, last: Float32Array): void {
  const now = table.lookupSync(keys)
  for (let i = 0; i < keys.length; i++) {
    checkWhole(now.subarray(i * table.dim, (i + 1) * table.dim), table.dim / 2)
  }
  for (const [i, value] of now.entries()) {
    if (value < (last[i] as number)) throw new Error(`a push went away: ${last[i]} to ${value}`)
  }
  last.set(now)
}

test('workers that push at once lose nothing and nobody sees half a row', async () => {
  const path = ':memory:vector-clocks'
  const [clients, count, rounds] = [4, 300, 200 * kScale]
  await using store = await open(path, { threads: 2 })
  const table = await store.table('t', { dim: clients * 2, optimizer: sum() })
  const keys = keyRange(0, count)
  const workers = Array.from({ length: clients - 1 }, (_, i) =>
    startWorker({ task: 'count', path, lane: i, clients, count, rounds }),
  )
  const running = Promise.all(workers.map(ended))
  const mine = new Float32Array(count * table.dim)
  for (let i = clients - 1; i < mine.length; i += clients) mine[i] = 1
  const last = new Float32Array(mine.length)
  for (let round = 0; round < rounds; round++) {
    const pushing = table.push(keys, mine)
    look(table, keys, last)
    await pushing
  }
  assert.equal(await running, [0, 0, 0])
  look(table, keys, last)
  assert.ok(
    last.every((value) => value === rounds),
    'every push is there, once',
  )
  const stats = await table.stats()
  assert.equal([stats.rows, stats.pushes], [count, clients * rounds * count])
})

test('threads that open and close one path at once stay well', async () => {
  const path = ':memory:open-close'
  const rounds = 100 * kScale
  const workers = Array.from({ length: 3 }, () => startWorker({ task: 'open', path, rounds }))
  const running = Promise.all(workers.map(ended))
  for (let round = 0; round < rounds; round++) {
    const store = await open(path)
    const table = await store.table('t', { dim: 4, optimizer: sum() })
    await table.push(keyRange(0, 3), filled(12, 1))
    await store.close()
  }
  assert.equal(await running, [0, 0, 0])
  await using store = await open(path)
  assert.equal(await store.tables(), [])
})

test.run()
