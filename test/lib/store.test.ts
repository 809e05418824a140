// A store: opening, sharing, listing, dropping and closing.

import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { adagrad, adam, constant, Store, sgd, sum, uniform } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, keys, same } from './support/arrays.ts'
import { open, remote } from './support/open.ts'
import { assertRefusal, errorOf } from './support/refusals.ts'

const test = suite('store')

test('open gives a Store that knows its path and that it is open', async () => {
  const store = await open(':memory:')
  assert.instance(store, Store)
  assert.match(store.path, remote ? /^hotrow:\/\/127\.0\.0\.1:\d+$/ : /^:memory:$/)
  assert.is(store.closed, false)
  await store.close()
  assert.is(store.closed, true)
})

test('two private stores share nothing', async () => {
  await using a = await open(':memory:')
  await using b = await open(':memory:')
  await a.table('t', { dim: 2 })
  assert.equal(await b.tables(), [])
})

test('stores in memory are shared by name', async () => {
  await using a = await open(':memory:shared-name')
  await using b = await open(':memory:shared-name')
  await using other = await open(':memory:other-name')
  const table = await a.table('t', { dim: 2, optimizer: sum() })
  await table.push(keys(7), filled(2, 1))
  const same_ = await b.table('t', { dim: 2, optimizer: sum() })
  same(await same_.lookup(keys(7)), [1, 1])
  assert.equal(await other.tables(), [])
})

test('every way to write one path gives one store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const link = join(folder, 'link')
  symlinkSync(folder, link)
  const path = join(folder, 'model')
  const ways = [
    path,
    `${path}/`,
    join(folder, 'x', '..', 'model'),
    relative(process.cwd(), path),
    join(link, 'model'),
  ]
  const stores = await Promise.all(ways.map((way) => open(way)))
  await stores[0]?.table('t', { dim: 3 })
  for (const store of stores) {
    assert.is(store.path, stores[0]?.path)
    assert.is((await store.tables()).length, 1)
  }
  await Promise.all(stores.map((store) => store.close()))
  assert.equal(readdirSync(folder).sort(), ['link', 'model'], 'one folder is made')
  rmSync(folder, { recursive: true })
})

test('a shared store lives until its last opener closes it', async () => {
  const first = await open(':memory:last')
  const second = await open(':memory:last')
  const table = await second.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys(1), filled(1, 5))
  await first.close()
  same(await table.lookup(keys(1)), [5])
  await second.close()
  await using third = await open(':memory:last')
  assert.equal(await third.tables(), [])
})

test('a shared store opened with other options is refused and names the option', async () => {
  await using store = await open(':memory:options', { memoryBytes: 2 ** 26, threads: 2 })
  const memory = await errorOf(() => open(':memory:options', { memoryBytes: 2 ** 27 }))
  assertRefusal(memory, {
    kind: 'StoreError',
    code: 'ERR_CONFLICT',
    message: /memoryBytes: it has 67108864, received 134217728/,
  })
  const threads = await errorOf(() => open(':memory:options', { threads: 1 }))
  const message = /threads: it has 2, received 1/
  assertRefusal(threads, { kind: 'StoreError', code: 'ERR_CONFLICT', message })
  const share = await errorOf(() => open(':memory:options', { backgroundShare: 0.5 }))
  assertRefusal(share, { kind: 'StoreError', code: 'ERR_CONFLICT', message: /backgroundShare/ })
  await using again = await open(':memory:options', { threads: 2 })
  assert.is((await again.stats()).memoryBytes, 2 ** 26)
  assert.is((await store.stats()).threads, 2)
})

test('await using closes the store at the end of its block', async () => {
  let kept: Store
  {
    await using store = await open(':memory:')
    kept = store
    assert.is(store.closed, false)
  }
  assert.is(kept.closed, true)
  assert.is((await errorOf(() => kept.tables())).code, 'ERR_CLOSED')
})

test('tables lists tables and dense parameters by name', async () => {
  await using store = await open(':memory:')
  const table = await store.table('b', { dim: 5 })
  await store.dense('a', { shape: [2, 3] })
  await store.table('c', { dim: 1 })
  await table.push(keyRange(0, 9), filled(45, 1))
  assert.equal(await store.tables(), [
    { name: 'a', kind: 'dense', shape: [2, 3], rows: 0 },
    { name: 'b', kind: 'table', shape: [5], rows: 9 },
    { name: 'c', kind: 'table', shape: [1], rows: 0 },
  ])
})

test('names may hold any characters, up to 255 bytes', async () => {
  await using store = await open(':memory:')
  const names = ['', ' ', 'user/ratings', '\0', '__proto__', 'é'.repeat(127), '🔥'.repeat(63)]
  for (const name of names.slice(1)) await store.table(name, { dim: 1 })
  const found = (await store.tables()).map((info) => info.name)
  assert.equal(found.sort(), names.slice(1).sort())
})

test('a table opened again is the same table', async () => {
  await using store = await open(':memory:')
  const options = { dim: 2, optimizer: adam(), initializer: uniform(0.1), seed: 9 } as const
  const first = await store.table('t', options)
  await first.push(keys(1), filled(2, 1))
  const defaults = { valueType: 'f32', rounding: 'nearest', nonFinite: 'reject' } as const
  const second = await store.table('t', { ...options, ...defaults, seed: 9n })
  assert.is((await second.stats()).rows, 1)
  assert.equal(await second.lookup(keys(1)), await first.lookup(keys(1)))
})

test('a table opened with other options is refused and names the option', async () => {
  await using store = await open(':memory:')
  const options = { dim: 4, optimizer: adagrad(), initializer: constant(1), seed: 5 } as const
  await store.table('t', options)
  const others = [
    [{ dim: 5 }, /dim: it has 4, received 5/],
    [{ optimizer: sgd() }, /optimizer/],
    [{ optimizer: adagrad({ learningRate: 0.5 }) }, /optimizer/],
    [{ initializer: constant(2) }, /initializer/],
    [{ valueType: 'f16' }, /valueType/],
    [{ missing: 'zeros' }, /missing/],
    [{ nonFinite: 'skip' }, /nonFinite/],
    [{ seed: 6 }, /seed/],
  ] as const
  for (const [other, message] of others) {
    const error = await errorOf(() => store.table('t', { ...options, ...other }))
    assertRefusal(error, { kind: 'StoreError', code: 'ERR_CONFLICT', message })
  }
  assert.is((await store.tables()).length, 1)
})

test('tables and dense parameters share one space of names', async () => {
  await using store = await open(':memory:')
  await store.table('t', { dim: 2 })
  await store.dense('d', { shape: [2] })
  const conflict = { kind: 'StoreError', code: 'ERR_CONFLICT' } as const
  const dense = await errorOf(() => store.dense('t', { shape: [2] }))
  assertRefusal(dense, { ...conflict, message: /'t' exists and is not a dense parameter/ })
  const table = await errorOf(() => store.table('d', { dim: 2 }))
  assertRefusal(table, { ...conflict, message: /'d' exists and is not a table/ })
})

test('drop removes a parameter; its name is free for other options', async () => {
  await using store = await open(':memory:')
  const table = await store.table('t', { dim: 2 })
  await table.push(keys(1), filled(2, 1))
  await store.dense('d', { shape: [4] })
  const used = (await store.stats()).memoryUsedBytes
  await store.drop('t')
  assert.ok((await store.stats()).memoryUsedBytes < used)
  await store.drop('d')
  assert.equal(await store.tables(), [])
  assert.is((await store.stats()).memoryUsedBytes, 0)
  const other = await store.table('t', { dim: 3 })
  same(await other.lookup(keys(1)), [0, 0, 0])
})

test('dropping what is not there is refused', async () => {
  await using store = await open(':memory:')
  const error = await errorOf(() => store.drop('none'))
  const refusal = { kind: 'StoreError', code: 'ERR_NOT_FOUND', message: /'none'/ } as const
  assertRefusal(error, refusal)
})

test('stats count tables, dense parameters, rows and memory', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 28, threads: 3 })
  const { memoryBytes, threads, latency, gpu, remote: _remote, ...empty } = await store.stats()
  assert.equal([memoryBytes, threads, gpu], [2 ** 28, 3, null])
  assert.is(latency.push.count, 0)
  for (const [name, value] of Object.entries(empty)) assert.is(value, 0, name)
  const a = await store.table('a', { dim: 4 })
  const b = await store.table('b', { dim: 8 })
  await store.dense('d', { shape: [1000] })
  await a.push(keyRange(0, 100), filled(400, 1))
  await b.push(keyRange(0, 50), filled(400, 1))
  const stats = await store.stats()
  assert.equal([stats.tables, stats.dense, stats.rows], [2, 1, 150])
  assert.ok(stats.memoryUsedBytes >= 100 * 16 + 50 * 32 + 4000)
  assert.ok(stats.memoryUsedBytes <= stats.memoryBytes)
})

test('options may be changed as soon as the call has returned', async () => {
  await using store = await open(':memory:')
  const options = { dim: 4, optimizer: sum() }
  const opening = store.table('t', options)
  options.dim = 8
  const table = await opening
  assert.is(table.dim, 4)
  assert.is(table.options.dim, 4)
  assert.is(table.lookupSync(keys(1)).length, 4)
  const shape = [2, 3]
  const making = store.dense('d', { shape })
  shape[0] = 7
  assert.equal((await making).shape, [2, 3])
})

test('closing again is fine and gives the same promise', async () => {
  const store = await open(':memory:')
  const closing = store.close()
  assert.is(store.close(), closing)
  await closing
  await store.close()
  await store[Symbol.asyncDispose]()
})

test.run()
