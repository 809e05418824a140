// Scans: every row once, page by page, whatever else is done meanwhile, and how they end.

import { adam, type ScanPage, type Store, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, kLastKey, same } from './support/arrays.ts'
import { assertEnded, runProgram } from './support/children.ts'
import { open } from './support/open.ts'
import { scanned } from './support/pages.ts'
import { errorOf } from './support/refusals.ts'

const test = suite<{ store: Store; table: Table }>('scan')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.table = await context.store.table('t', { dim: 2, optimizer: sum() })
})
test.after.each(({ store }) => store.close())

/** Rows that say their key: (key, key + 0.5). */
function rowsOf(batch: BigUint64Array): Float32Array {
  return Float32Array.from({ length: batch.length * 2 }, (_, i) => {
    return Number(batch[i >> 1]) + (i % 2) / 2
  })
}

const put = (table: Table, batch: BigUint64Array): Promise<void> =>
  table.update(batch, rowsOf(batch))

function assertOwnRows(rows: Map<bigint, Float32Array>): void {
  for (const [key, row] of rows) same(row, [Number(key), Number(key) + 0.5], `row of ${key}`)
}

async function pagesOf(pages: AsyncIterable<ScanPage>): Promise<ScanPage[]> {
  const all: ScanPage[] = []
  for await (const page of pages) all.push(page)
  return all
}

test('an empty table has no page', async ({ table }) => {
  assert.equal(await pagesOf(table.scan()), [])
  await put(table, keys(1))
  await table.erase(keys(1))
  assert.equal(await pagesOf(table.scan()), [])
})

test('the ends of the key space are given as any other key', async ({ table }) => {
  const batch = keys(0, 1, 2n ** 63n, kLastKey)
  await put(table, batch)
  const rows = await scanned(table)
  assert.equal(new Set(rows.keys()), new Set(batch))
  assertOwnRows(rows)
})

for (const rows of [1, 2, 7, 100, 1000, 4999, 5000, 5001, 1_048_576]) {
  test(`every row comes once, in pages of ${rows}`, async ({ table }) => {
    const many = keyRange(0, rows < 3 ? 500 : 5000)
    await put(table, many)
    const pages = await pagesOf(table.scan({ rows }))
    const all = pages.flatMap((page) => [...page.keys])
    assert.is(all.length, many.length)
    assert.equal(new Set(all), new Set(many))
    for (const [i, page] of pages.entries()) {
      assert.is(page.rows.length, page.keys.length * 2)
      // A bucket more than asked for at most; the last page has what is left.
      assert.ok(page.keys.length < rows + 64)
      if (i + 1 < pages.length) assert.ok(page.keys.length >= rows)
    }
    assertOwnRows(await scanned(table, { rows }))
  })
}

test('pages are ordinary arrays of their own', async ({ table }) => {
  await put(table, keyRange(0, 300))
  const [first, second] = await pagesOf(table.scan({ rows: 100 }))
  first?.rows.fill(0)
  assert.is(second?.rows.buffer.byteLength, second?.rows.byteLength)
  assertOwnRows(await scanned(table))
})

test('rows of every type come as f32', async ({ store }) => {
  for (const valueType of ['f16', 'bf16', 'i8', 'i4'] as const) {
    const table = await store.table(valueType, { dim: 2, valueType })
    await table.update(keys(1, 2), floats(1, 1, -2, -2))
    const rows = await scanned(table)
    same(rows.get(1n) as Float32Array, [1, 1])
    same(rows.get(2n) as Float32Array, [-2, -2])
  }
})

test('the optimizer’s state is not among the values', async ({ store }) => {
  const table = await store.table('adam', { dim: 3, optimizer: adam() })
  await table.push(keys(1), floats(1, 1, 1))
  await table.update(keys(1), floats(4, 5, 6))
  same((await scanned(table)).get(1n) as Float32Array, [4, 5, 6])
})

test('a scan is no use of a row and no lookup', async ({ store }) => {
  const table = await store.table('lfu', { dim: 1, optimizer: sum(), eviction: { policy: 'lfu' } })
  await table.push(keys(1, 2), floats(1, 1))
  for (let i = 0; i < 5; i++) await scanned(table)
  assert.is((await table.stats()).lookups, 0)
  assert.is(await table.shrink({ belowUses: 2 }), 2)
})

test('a table that grows meanwhile: every row that stays comes once', async ({ table }) => {
  const stay = keyRange(0, 2000)
  await put(table, stay)
  const pushes: Promise<void>[] = []
  const seen = new Map<bigint, Float32Array>()
  let from = 1_000_000
  for await (const page of table.scan({ rows: 50 })) {
    for (const [i, key] of page.keys.entries()) {
      assert.not(seen.has(key), `key ${key} came twice`)
      seen.set(key, page.rows.subarray(i * 2, i * 2 + 2))
    }
    if (pushes.length === 20) continue
    pushes.push(put(table, keyRange(from, 2000)))
    from += 2000
  }
  await Promise.all(pushes)
  for (const key of stay) assert.ok(seen.has(key), `key ${key} did not come`)
  assertOwnRows(seen)
  assert.ok((await table.stats()).grownShards > 1024)
})

test('rows that go meanwhile come once or not at all', async ({ table }) => {
  await put(table, keyRange(0, 4000))
  const seen: bigint[] = []
  let from = 0
  for await (const page of table.scan({ rows: 100 })) {
    seen.push(...page.keys)
    await table.erase(keyRange(from, 50))
    await put(table, keyRange(from, 25))
    from += 50
  }
  assert.is(new Set(seen).size, seen.length)
  for (const key of keyRange(from, 4000 - from)) assert.ok(seen.includes(key))
})

test('rows are whole while another opener writes them', async () => {
  await using ours = await open(':memory:scan')
  await using theirs = await open(':memory:scan')
  const options = { dim: 32, optimizer: sum() }
  const [table, other] = [await ours.table('t', options), await theirs.table('t', options)]
  const many = keyRange(0, 500)
  await other.update(many, filled(16_000, 0))
  const writing = Array.from({ length: 60 }, (_, i) => other.update(many, filled(16_000, i + 1)))
  for (let round = 0; round < 20; round++) {
    const rows = await scanned(table, { rows: 100 })
    assert.is(rows.size, 500)
    for (const [key, row] of rows) same(row, filled(32, row[0] as number), `row of ${key}`)
  }
  await Promise.all(writing)
})

test('several scans at once do not disturb each other', async ({ table }) => {
  await put(table, keyRange(0, 3000))
  const all = await Promise.all([1, 10, 100, 5000].map((rows) => scanned(table, { rows })))
  for (const rows of all) assert.is(rows.size, 3000)
})

test('whoever stops early stops the scan', async ({ table }) => {
  await put(table, keyRange(0, 1000))
  const scan = table.scan({ rows: 10 })
  for await (const page of scan) {
    assert.ok(page.keys.length >= 10)
    break
  }
  assert.equal(await scan.next(), { done: true, value: undefined })
  const fresh = table.scan()
  await fresh.return()
  assert.equal(await fresh.next(), { done: true, value: undefined })
  assert.is((await scanned(table)).size, 1000)
})

test('an error among the pages ends the scan and is the caller’s', async ({ table }) => {
  await put(table, keyRange(0, 100))
  const error = await errorOf(async () => {
    for await (const page of table.scan({ rows: 5 })) throw new Error(`page of ${page.keys.length}`)
  })
  assert.match(error.message, /^page of /)
})

test('a signal that is aborted already gives no page', async ({ table }) => {
  await put(table, keyRange(0, 100))
  const reason = new Error('no more')
  const scan = table.scan({ signal: AbortSignal.abort(reason) })
  assert.is(await errorOf(() => scan.next()), reason)
  assert.equal(await scan.next(), { done: true, value: undefined })
  const error = await errorOf(() => table.scan({ signal: AbortSignal.abort() }).next())
  assert.is(error.name, 'AbortError')
})

test('a signal aborted between two pages is thrown in the place of the next', async ({ table }) => {
  await put(table, keyRange(0, 1000))
  const controller = new AbortController()
  const reason = new Error('enough')
  const scan = table.scan({ rows: 100, signal: controller.signal })
  const first = await scan.next()
  assert.is(first.done, false)
  controller.abort(reason)
  assert.is(await errorOf(() => scan.next()), reason)
  assert.equal(await scan.next(), { done: true, value: undefined })
})

test('a signal aborted while a page is awaited is thrown at once', async ({ table }) => {
  await put(table, keyRange(0, 50_000))
  const controller = new AbortController()
  const reason = new Error('too slow')
  const scan = table.scan({ rows: 50_000, signal: controller.signal })
  const waiting = errorOf(() => scan.next())
  controller.abort(reason)
  assert.is(await waiting, reason)
  assert.is((await scanned(table)).size, 50_000)
})

test('a signal aborted after the last page changes nothing', async ({ table }) => {
  await put(table, keyRange(0, 10))
  const controller = new AbortController()
  assert.is((await scanned(table, { signal: controller.signal })).size, 10)
  controller.abort()
})

test('a reason may be anything', async ({ table }) => {
  await put(table, keys(1))
  for (const reason of [null, 0, 'text']) {
    const thrown = await table
      .scan({ signal: AbortSignal.abort(reason) })
      .next()
      .catch((error: unknown) => ({ error }))
    assert.equal(thrown, { error: reason })
  }
})

test('a signal of a finished scan has no listener of it left', async ({ table }) => {
  await put(table, keyRange(0, 1000))
  const { signal } = new AbortController()
  const counts = { added: 0, removed: 0 }
  const [add, remove] = [signal.addEventListener, signal.removeEventListener]
  signal.addEventListener = function (...all: unknown[]) {
    counts.added++
    return add.apply(this, all as never)
  }
  signal.removeEventListener = function (...all: unknown[]) {
    counts.removed++
    return remove.apply(this, all as never)
  }
  const pages = await pagesOf(table.scan({ rows: 100, signal }))
  assert.ok(counts.added >= pages.length)
  assert.is(counts.removed, counts.added)
})

test('closing the store and dropping the table end a scan', async ({ store, table }) => {
  const other = await store.table('other', { dim: 2, optimizer: sum() })
  for (const each of [table, other]) await put(each, keyRange(0, 1000))
  const [scan, late] = [other.scan({ rows: 10 }), table.scan({ rows: 10 })]
  await scan.next()
  await late.next()
  await store.drop('other')
  assert.is((await errorOf(() => pagesOf(scan))).code, 'ERR_CLOSED')
  await store.close()
  assert.is((await errorOf(() => pagesOf(late))).code, 'ERR_CLOSED')
  assert.is((await errorOf(() => table.scan().next())).code, 'ERR_CLOSED')
})

test('a process that leaves a scan behind ends, and says nothing', async () => {
  const ended = await runProgram(`
    import { open } from 'hotrow'
    const store = await open(':memory:')
    const table = await store.table('t', { dim: 1 })
    const keys = BigUint64Array.from({ length: 5000 }, (_, i) => BigInt(i))
    await table.update(keys, new Float32Array(5000))
    await table.scan({ rows: 10 }).next()
    const { done } = await table.scan({ rows: 10, signal: AbortSignal.timeout(3_600_000) }).next()
    const first = table.scan({ rows: 10 }).next()
    const dropping = store.drop('t')
    // Its second page, which nobody waits for, fails.
    if ((await first).done) throw new Error('no page')
    await dropping
    await new Promise((later) => setTimeout(later, 50))
    await store.close()
    console.log('done', done)
  `)
  assertEnded(ended, 0)
  assert.is(ended.output.trim(), 'done false')
})

test.run()
