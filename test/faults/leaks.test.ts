// Opening, using and closing leaves nothing behind: no memory, threads, file descriptors or handles
// of the event loop.

import { readdirSync } from 'node:fs'
import { type Dense, open, type Store, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, keys } from '../lib/support/arrays.ts'

const test = suite('leaks')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kMiB = 2 ** 20

const gc = (): void => {
  assert.ok(globalThis.gc, 'runs under --expose-gc')
  globalThis.gc?.()
}
const rss = (): number => process.memoryUsage.rss()
const threads = (): number => readdirSync('/proc/self/task').length
const descriptors = (): number => readdirSync('/proc/self/fd').length

/** Finalizers run in a task of their own after a collection. */
async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    gc()
    await new Promise(setImmediate)
  }
}

/**
 * Runs `loop` to warm up, then `times` times in three stretches, and checks what has grown. A leak
 * adds as much in each stretch, while a heap that settles takes a step once: the stretch that added
 * least counts, and three of it are held against `limit`, in MiB.
 */
async function checkGrowth(times: number, loop: () => Promise<void>, limit: number): Promise<void> {
  for (let i = 0; i < times / 2; i++) await loop()
  await collect()
  const before = { threads: threads(), descriptors: descriptors() }
  const grown: number[] = []
  for (let stretch = 0; stretch < 3; stretch++) {
    const start = rss()
    for (let i = 0; i < times / 3; i++) await loop()
    // Threads end with close, and need no collection for it.
    assert.ok(threads() <= before.threads + 1, `${threads() - before.threads} threads`)
    assert.is(descriptors(), before.descriptors, 'file descriptors')
    await collect()
    grown.push((rss() - start) / kMiB)
  }
  const shown = grown.map((mib) => mib.toFixed(1)).join(', ')
  assert.ok(3 * Math.min(...grown) < limit, `${shown} MiB more in thirds of ${times} loops`)
  assert.equal(
    process.getActiveResourcesInfo().filter((name) => /hotrow/i.test(name)),
    [],
  )
}

async function openAndClose(): Promise<void> {
  const store = await open(':memory:')
  const table = await store.table('t', { dim: 16, optimizer: sum() })
  await table.push(keyRange(0, 200), filled(3200, 1))
  await store.close()
}

test('stores opened, filled and closed 2,000 times', async () => {
  await checkGrowth(2000 * kScale, openAndClose, 6)
})

test('a named store that others hold open, opened 2,000 times', async () => {
  await using _held = await open(':memory:held')
  const loop = async () => {
    const store = await open(':memory:held')
    const table = await store.table('t', { dim: 4, optimizer: sum() })
    await table.push(keys(1, 2), filled(8, 1))
    await store.close()
  }
  await checkGrowth(2000 * kScale, loop, 4)
})

test('opening that is refused, 500 times', async () => {
  await using _held = await open(':memory:refusing', { threads: 2 })
  const loop = async () => {
    const refused = await open(':memory:refusing', { threads: 1 }).catch((error) => error.code)
    assert.is(refused, 'ERR_CONFLICT')
  }
  await checkGrowth(500 * kScale, loop, 4)
})

test('tables and dense parameters made and dropped 1,000 times', async () => {
  await using store = await open(':memory:')
  const loop = async () => {
    const table = await store.table('t', { dim: 64 })
    const dense = await store.dense('d', { shape: [1000] })
    await Promise.all([table.push(keyRange(0, 100), filled(6400, 1)), dense.push(filled(1000, 1))])
    await Promise.all([store.drop('t'), store.drop('d')])
  }
  // Each round's rows alone are 25 KiB: 25 MiB if they stayed.
  await checkGrowth(1000 * kScale, loop, 8)
  assert.is((await store.stats()).memoryUsedBytes, 0)
})

test('large results, outs and refused calls', async () => {
  await using store = await open(':memory:')
  const table = await store.table('t', { dim: 64, optimizer: sum() })
  const many = keyRange(0, 4000)
  const ones = filled(4000 * 64, 1)
  const bad = filled(4000 * 64, Number.NaN)
  const out = filled(4000 * 64, 0)
  const loop = async () => {
    const calls = [
      table.push(many, ones),
      table.lookup(many),
      table.lookup(many, { out }),
      table.push(many, bad).catch(() => {}),
      table.lookupPooled(many, Uint32Array.of(0, 4000)),
    ]
    await Promise.all(calls)
    gc()
  }
  await checkGrowth(100 * kScale, loop, 12)
})

test('handles that are lost without close are collected with their threads', async () => {
  const before = threads()
  const lost: WeakRef<Store | Table | Dense>[] = []
  await (async () => {
    for (let i = 0; i < 50; i++) {
      const store = await open(':memory:')
      const table = await store.table('t', { dim: 4, optimizer: sum() })
      const dense = await store.dense('d', { shape: [4] })
      await table.push(keys(1), filled(4, 1))
      lost.push(new WeakRef(store), new WeakRef(table), new WeakRef(dense))
    }
  })()
  for (let i = 0; i < 20 && threads() > before + 2; i++) {
    await new Promise((done) => setTimeout(done, 20))
    await collect()
  }
  assert.ok(lost.filter((ref) => ref.deref()).length <= 3, 'some are held')
  assert.ok(threads() <= before + 2, `${threads() - before} threads are left`)
})

test('a table keeps its store alive', async () => {
  const table = await (async () => {
    const store = await open(':memory:')
    return await store.table('t', { dim: 4, optimizer: sum() })
  })()
  await collect()
  await table.push(keys(1), filled(4, 1))
  await collect()
  assert.equal([...(await table.lookup(keys(1)))], [1, 1, 1, 1])
})

test('calls under way keep everything they need', async () => {
  const answers: Promise<Float32Array>[] = []
  for (let i = 0; i < 20; i++) {
    const store = await open(':memory:')
    const table = await store.table('t', { dim: 16, optimizer: sum() })
    void table.push(keyRange(0, 5000), filled(80_000, i))
    answers.push(table.lookup(keyRange(0, 5000)))
    gc()
  }
  const found = await Promise.all(answers)
  assert.ok(found.every((rows, i) => rows.every((value) => value === i)))
})

test.run()
