// Importing a version into any tier: what arrives, how much at once, and what is left of an import
// that fails.

import { setTimeout as sleep } from 'node:timers/promises'
import { type ImportProgress, importVersion, open, type ScannableTable, type Store } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { keyRange } from '../support/arrays.ts'
import { errorOf } from '../support/refusals.ts'
import { bytesOf, VersionedMapTier } from '../support/tiers.ts'

interface Context {
  store: Store
  tier: VersionedMapTier
  tables: ScannableTable[]
}

const kRows = 2000

const test = suite<Context>('import')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.tier = new VersionedMapTier()
  context.tables = []
  for (const [name, dim] of [
    ['a', 1],
    ['b', 3],
  ] as const) {
    const table = await context.store.table(name, { dim })
    const rows = Float32Array.from({ length: kRows * dim }, (_, i) => Math.floor(i / dim))
    await table.update(keyRange(0, kRows), rows)
    context.tables.push(table)
  }
})
test.after.each(({ store }) => store.close())

test('all rows of all tables arrive, some pages at a time', async ({ tier, tables }) => {
  const seen: ImportProgress[] = []
  const onProgress = (progress: ImportProgress): void => void seen.push(progress)
  const options = { version: 4, parallel: 3, pageRows: 100, onProgress }
  const summary = await importVersion(tables, tier, options)
  assert.equal(summary, { version: 4, rows: 2 * kRows, bytes: kRows * (8 + 4 + 8 + 12) })
  const rows = tier.versions.get(4)
  assert.is(rows?.size, 2 * kRows)
  for (let key = 0; key < kRows; key++) {
    assert.equal(rows?.get(`a/${key}`), bytesOf(key))
    assert.equal(rows?.get(`b/${key}`), bytesOf(key, key, key))
  }
  assert.is(tier.version, 4)
  assert.is(tier.most, 3)
  assert.equal(seen.at(-1), { table: 'b', tableRows: kRows, rows: 2 * kRows })
  assert.equal(
    seen.map((progress) => progress.rows),
    seen.map((progress) => progress.rows).sort((x, y) => x - y),
  )
})

test('no table, an empty table, and a version that nobody is to read yet', async (context) => {
  const { store, tier } = context
  const empty = await store.table('empty', { dim: 2 })
  assert.equal(await importVersion([], tier, { version: 1 }), { version: 1, rows: 0, bytes: 0 })
  await importVersion([empty], tier, { version: 2, activate: false })
  assert.equal([tier.version, tier.versions.get(2)?.size], [1, 0])
})

test('a page that fails ends the import', async ({ tier, tables }) => {
  for (const at of [0, 5, 19, 39]) {
    tier.failures.length = 0
    tier.failures[at] = new Error(`page ${at}`)
    const work = (): unknown => importVersion(tables, tier, { version: 1, pageRows: 100 })
    assert.is((await errorOf(work)).message, `page ${at}`)
  }
  assert.equal(tier.aborted, [1, 1, 1, 1])
  assert.is(tier.versions.size, 0)
})

test('a table that fails ends the import, once its pages have ended', async ({ tier }) => {
  const failing: ScannableTable = {
    name: 'f',
    dim: 1,
    async *scan() {
      yield { keys: keyRange(0, 2), rows: new Float32Array(2) }
      throw new Error('cannot read')
    },
  }
  const error = await errorOf(() => importVersion([failing], tier, { version: 1 }))
  assert.is(error.message, 'cannot read')
  assert.equal([tier.aborted, tier.versions.size], [[1], 0])
})

test('a signal ends it, at the beginning and in the middle', async ({ tier, tables }) => {
  const before = AbortSignal.abort(new Error('before'))
  const never = await errorOf(() => importVersion(tables, tier, { version: 1, signal: before }))
  assert.is(never.message, 'before')
  assert.equal(tier.aborted, [])
  const controller = new AbortController()
  let pages = 0
  const onProgress = (): void => {
    if (++pages === 5) controller.abort(new Error('enough'))
  }
  const options = { version: 1, pageRows: 50, signal: controller.signal, onProgress }
  assert.is((await errorOf(() => importVersion(tables, tier, options))).message, 'enough')
  assert.equal(tier.aborted, [1])
  const after = pages
  await sleep(20)
  assert.is(pages, after)
  assert.ok(pages < 15)
})

test('what onProgress throws is the caller’s', async ({ tier, tables }) => {
  const onProgress = (): void => {
    throw new Error('my own')
  }
  const error = await errorOf(() => importVersion(tables, tier, { version: 1, onProgress }))
  assert.is(error.message, 'my own')
})

test.run()
