// The memory ceiling (guarantee E9): what would pass it is refused with ERR_CAPACITY and changes
// nothing, small and huge ceilings work, and results that cannot be allocated are refused.

import { readFileSync } from 'node:fs'
import { adam, open, type Store, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, keys, same } from '../support/arrays.ts'
import { assertEnded, runProgram } from '../support/children.ts'
import { assertRefusal, errorOf, type Refusal } from '../support/refusals.ts'

const test = suite('memory')
const capacity = (message: RegExp): Refusal => ({
  kind: 'StoreError',
  code: 'ERR_CAPACITY',
  message,
})

/** Pushes batches of new keys until one is refused; gives how many rows there are. */
async function fill(table: Table, batch: number): Promise<{ rows: number; error: Error }> {
  for (let rows = 0; ; rows += batch) {
    const gradients = filled(batch * table.dim, 1)
    const error = await table.push(keyRange(rows, batch), gradients).catch((e: unknown) => e)
    if (error !== undefined) return { rows, error: error as Error }
  }
}

async function figures(store: Store, table: Table): Promise<unknown> {
  const { rows, pushes, updates, created, erased } = await table.stats()
  const { memoryUsedBytes, memoryBytes } = await store.stats()
  assert.ok(memoryUsedBytes <= memoryBytes, `${memoryUsedBytes} of ${memoryBytes} bytes`)
  return { rows, pushes, updates, created, erased }
}

test('at the ceiling new rows are refused, nothing changes, and old rows go on', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const table = await store.table('t', { dim: 64, optimizer: adam({ learningRate: 0.1 }) })
  const { rows, error } = await fill(table, 1000)
  assertRefusal(error, capacity(/^table 't': its new rows would not fit: .* memoryBytes 16777216/))
  assert.ok(rows >= 5000, `${rows} rows of 768 bytes`)
  const full = await figures(store, table)
  const content = await table.lookup(keyRange(0, rows))
  for (let round = 0; round < 20; round++) {
    const batch = keyRange(rows - 500, 1000)
    const refused = await errorOf(() => table.push(batch, filled(64_000, 1)))
    assertRefusal(refused, capacity(/would not fit/))
    const update = await errorOf(() => table.update(batch, filled(64_000, 1)))
    assertRefusal(update, capacity(/would not fit/))
  }
  assert.equal(await figures(store, table), full)
  assert.equal(await table.lookup(keyRange(0, rows)), content)
  await table.push(keyRange(0, rows), filled(rows * 64, 1))
  await table.update(keys(0), filled(64, 7))
  same(await table.lookup(keys(0)), filled(64, 7))
  assert.is((await table.stats()).rows, rows)
})

test('erased rows make room for as many others', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const table = await store.table('t', { dim: 64, optimizer: sum() })
  const { rows } = await fill(table, 500)
  assert.is(await table.erase(keyRange(0, 500)), 500)
  await table.push(keyRange(10_000_000, 500), filled(32_000, 1))
  assert.is((await table.stats()).rows, rows)
  await figures(store, table)
})

test('dropping a full table gives its memory to the others', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const table = await store.table('t', { dim: 256, optimizer: sum() })
  const other = await store.table('other', { dim: 256, optimizer: sum() })
  const { rows } = await fill(table, 500)
  const batch = keyRange(0, 500)
  const refused = await errorOf(() => other.push(batch, filled(128_000, 1)))
  assertRefusal(refused, capacity(/'other'/))
  const third = await errorOf(() => store.table('third', { dim: 256 }))
  assertRefusal(third, capacity(/memory/))
  await store.drop('t')
  assert.ok((await fill(other, 500)).rows >= rows)
})

test('a batch larger than the ceiling is refused at once', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const table = await store.table('t', { dim: 8, optimizer: sum() })
  const error = await errorOf(() => table.push(keyRange(0, 600_000), filled(4_800_000, 1)))
  assertRefusal(error, capacity(/'t'/))
  assert.is((await table.stats()).rows, 0)
  await table.push(keys(1), filled(8, 1))
})

test('many stores of the least memory work side by side', async () => {
  const stores = await Promise.all(
    Array.from({ length: 40 }, () => open(':memory:', { memoryBytes: 2 ** 24, threads: 1 })),
  )
  for (const store of stores) {
    const table = await store.table('t', { dim: 4, optimizer: sum() })
    await table.push(keys(1), filled(4, 1))
    same(await table.lookup(keys(1)), filled(4, 1))
  }
  await Promise.all(stores.map((store) => store.close()))
})

test('a ceiling beyond all memory works, and what cannot be had is refused', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 46 })
  const table = await store.table('t', { dim: 4, optimizer: sum() })
  await table.push(keys(1), filled(4, 1))
  same(await table.lookup(keys(1)), filled(4, 1))
  // The widest rows may need more address space than there is: a table, or ERR_CAPACITY.
  const wide = await store.table('wide', { dim: 8192, optimizer: adam() }).catch((e: unknown) => e)
  if (wide instanceof Error) assertRefusal(wide, capacity(/address space/))
  assert.ok((await store.tables()).length >= 1)
})

test('a result too large to allocate is refused and the process lives', async () => {
  const overcommit = readFileSync('/proc/sys/vm/overcommit_memory', 'utf8').trim()
  if (overcommit === '1') {
    console.log('skip: this system grants memory that it does not have')
    return
  }
  const ended = await runProgram(`
    import { open } from 'hotrow'
    const store = await open(':memory:')
    const table = await store.table('t', { dim: 8192 })
    const many = new BigUint64Array(2 ** 24)
    const offsets = new Uint32Array(2 ** 24 + 1)
    const calls = [
      () => table.lookup(many),
      () => table.lookupSync(many),
      () => table.lookupPooled(new BigUint64Array(0), offsets),
      () => store.lookupAll([[table, many]]),
      () => store.lookupConcat([[table, many]]),
      () => store.lookupConcatSync([[table, many]], { stride: 10_000 }),
      () => store.lookupConcat([[table, BigUint64Array.of(1n), { repeat: 2 ** 24 }]]),
    ]
    for (const call of calls) {
      const error = await (async () => call())().catch((error) => error)
      console.log(error.name === 'RangeError' || error.code === 'ERR_CAPACITY')
    }
    await table.push(BigUint64Array.of(1n), new Float32Array(8192))
    console.log('rows', (await table.stats()).rows)
  `)
  assertEnded(ended, 0)
  assert.equal(ended.output.trim().split('\n'), [...new Array(7).fill('true'), 'rows 1'])
})

test.run()
