// Exports and imports as calls: progress, aborts, arguments, conflicts and calls beside them.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  adam,
  type ExportFormat,
  type ExportOptions,
  ImportInterruptedError,
  type ImportOptions,
  open,
  type Store,
  StoreError,
  sum,
  type Table,
  type TransferProgress,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, same } from '../support/arrays.ts'
import { npyOf, writeFolder } from '../support/foreign.ts'
import { errorAtOnce, errorOf } from '../support/refusals.ts'

const formats: ExportFormat[] = ['safetensors', 'npy', 'arrow']
/** Several pages of rows of one value. */
const kMany = 150_000

interface Context {
  folder: string
  store: Store
  copy: Store
  table: Table
}
const test = suite<Context>('transfer')

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  context.store = await open(':memory:')
  context.copy = await open(':memory:')
  context.table = await context.store.table('t', { dim: 1, optimizer: sum() })
})
test.after.each(async ({ folder, store, copy }) => {
  await store.close()
  await copy.close()
  rmSync(folder, { recursive: true, force: true })
})

async function codeOf(call: () => unknown): Promise<string | undefined> {
  const error = await errorOf(call)
  assert.instance(error, StoreError)
  return error.code
}

for (const format of formats) {
  test(`${format}: progress rises to the end`, async ({ folder, store, copy, table }) => {
    await table.update(keyRange(0, kMany), filled(kMany, 1))
    await store.dense('d', { shape: [2] })
    const path = join(folder, 'x')
    for (const way of ['export', 'import']) {
      const seen: TransferProgress[] = []
      const onProgress = (progress: TransferProgress) => seen.push(progress)
      if (way === 'export') await store.exportTo(path, { format, onProgress })
      else await copy.importFrom(path, { format, onProgress })
      const rows = seen.filter(({ name }) => name === 't').map((progress) => progress.rows)
      assert.ok(rows.length > 1, 'page by page')
      assert.equal(
        rows,
        [...rows].sort((a, b) => a - b),
      )
      assert.is(rows.at(-1), kMany)
      const dense = seen.filter(({ name }) => name === 'd')
      assert.equal(dense, [{ name: 'd', rows: 1, totalRows: 1 }])
    }
  })

  test(`${format}: an aborted export leaves nothing, and an older one`, async ({
    folder,
    store,
    table,
  }) => {
    await table.update(keyRange(0, kMany), filled(kMany, 1))
    const path = join(folder, 'x')
    if (format === 'safetensors') writeFileSync(path, 'older')
    const abort = new AbortController()
    const reason = new Error('enough')
    const onProgress = () => abort.abort(reason)
    const options = { format, signal: abort.signal, onProgress }
    assert.is(await errorOf(() => store.exportTo(path, options)), reason)
    assert.is(await errorOf(() => store.exportTo(path, options)), reason, 'aborted before')
    assert.equal(readdirSync(folder), format === 'safetensors' ? ['x'] : [])
    if (format === 'safetensors') assert.is(readFileSync(path, 'utf8'), 'older')
    same(await table.lookup(keys(5)), [1], 'the store goes on')
  })

  test(`${format}: an export that fails in a callback leaves nothing`, async ({
    folder,
    store,
    table,
  }) => {
    await table.update(keys(1), floats(1))
    const onProgress = () => {
      throw new Error('mine')
    }
    const error = await errorOf(() => store.exportTo(join(folder, 'x'), { format, onProgress }))
    assert.is(error.message, 'mine')
    assert.equal(readdirSync(folder), [])
  })

  test(`${format}: an aborted import says what was imported`, async ({
    folder,
    store,
    copy,
    table,
  }) => {
    await table.update(keyRange(0, kMany), filled(kMany, 3))
    const path = join(folder, 'x')
    await store.exportTo(path, { format })
    const abort = new AbortController()
    const reason = new Error('enough')
    const options: ImportOptions = { signal: abort.signal, onProgress: () => abort.abort(reason) }
    const error = await errorOf(() => copy.importFrom(path, options))
    assert.instance(error, ImportInterruptedError)
    const { imported, cause, code } = error as ImportInterruptedError
    assert.is(cause, reason)
    assert.is(code, 'ABORT_ERR')
    const rows = imported.tables[0]!.rows
    assert.ok(rows > 0 && rows < kMany)
    assert.is((await (await copy.table('t')).stats()).rows, rows)
    const before = await errorOf(() => copy.importFrom(path, options))
    assert.is(before, reason, 'nothing was imported by this one')
  })

  test(`${format}: rows that stay are there once beside pushes and erasures`, async ({
    folder,
    store,
    copy,
    table,
  }) => {
    const stay = keyRange(0, kMany)
    await table.update(stay, filled(kMany, 1))
    const path = join(folder, 'x')
    let number = 0
    const writes: Promise<unknown>[] = []
    const onProgress = () => {
      number += 1
      writes.push(table.push(keyRange(1_000_000 * number, 20_000), filled(20_000, 1)))
      writes.push(table.erase(keyRange(1_000_000 * (number - 1) + kMany, 10_000)))
    }
    await store.exportTo(path, { format, onProgress })
    await Promise.all(writes)
    await copy.importFrom(path)
    const imported = await copy.table('t')
    assert.equal(await imported.lookup(stay), filled(kMany, 1))
  })

  test(`${format}: another dim or kind is a conflict, and nothing is imported`, async ({
    folder,
    store,
    copy,
    table,
  }) => {
    await table.update(keys(1), floats(1))
    await (await store.table('a', { dim: 1 })).update(keys(1), floats(1))
    const path = join(folder, 'x')
    await store.exportTo(path, { format })
    const other = await copy.table('t', { dim: 2 })
    const error = await errorOf(() => copy.importFrom(path))
    assert.is(error.code, 'ERR_CONFLICT')
    assert.match(error.message, /x.*: has dim 1, table 't' has 2/)
    assert.equal(
      (await copy.tables()).map(({ name }) => name),
      ['t'],
      'no other table was made',
    )
    assert.is((await other.stats()).rows, 0)
    await copy.drop('t')
    await copy.dense('t', { shape: [1] })
    assert.is(await codeOf(() => copy.importFrom(path)), 'ERR_CONFLICT')
    const wrong = { tables: ['a'], options: { dim: 3 } }
    assert.is(await codeOf(() => copy.importFrom(path, wrong)), 'ERR_CONFLICT')
    assert.is(await codeOf(() => copy.importFrom(path, { tables: ['b'] })), 'ERR_NOT_FOUND')
    assert.is(await codeOf(() => copy.importFrom(path, { table: 'b' })), 'ERR_CONFLICT')
  })

  test(`${format}: state of another optimizer is a conflict unless it is left out`, async ({
    folder,
    store,
    copy,
  }) => {
    const from = await store.table('u', { dim: 1, optimizer: adam() })
    await from.push(keys(1), floats(1))
    const path = join(folder, 'x')
    await store.exportTo(path, { format, tables: ['u'] })
    const made = { options: { optimizer: sum() } }
    const error = await errorOf(() => copy.importFrom(path, made))
    assert.is(error.code, 'ERR_CONFLICT')
    assert.match(error.message, /2 values of state, 'u' has 0/)
    assert.equal(await copy.tables(), [], 'what was made for it is gone')
    await copy.importFrom(path, { ...made, state: false })
    same(await (await copy.table('u')).lookup(keys(1)), await from.lookup(keys(1)))
  })
}

test('a table without room is refused before anything is imported', async ({ folder, copy }) => {
  const rows = 4_000_000
  const path = writeFolder(join(folder, 'a'), {
    key: BigInt64Array.from({ length: rows }, (_, i) => BigInt(i)),
    emb_vector: new Float32Array(rows),
  })
  await using small = await open(':memory:', { memoryBytes: 2 ** 25 })
  assert.is(await codeOf(() => small.importFrom(path, { table: 't' })), 'ERR_CAPACITY')
  assert.equal(await small.tables(), [])
  assert.equal(await copy.tables(), [])
})

test('an import goes on in a table that has rows', async ({ folder, table, store }) => {
  await table.update(keys(1, 2), floats(1, 2))
  const path = writeFolder(join(folder, 'a'), {
    'keys.npy': npyOf('<u8', [2], BigUint64Array.of(2n, 3n)),
    'rows.npy': npyOf('<f4', [2, 1], floats(20, 30)),
  })
  await store.importFrom(path, { table: 't' })
  same(await table.lookup(keys(1, 2, 3)), [1, 20, 30])
})

test('a folder that has something in it stays as it is', async ({ folder, store }) => {
  const path = writeFolder(join(folder, 'a'), { mine: floats(1) })
  for (const format of formats) {
    assert.is(await codeOf(() => store.exportTo(path, { format })), 'ERR_CONFLICT', format)
  }
  assert.equal(readdirSync(path), ['mine'])
  const nowhere = join(folder, 'no', 'where')
  assert.is(await codeOf(() => store.exportTo(nowhere, { format: 'npy' })), 'ERR_NOT_FOUND')
  writeFileSync(join(folder, 'file'), '')
  const below = join(folder, 'file', 'x')
  assert.is(await codeOf(() => store.exportTo(below, { format: 'npy' })), 'ERR_IO_ERROR')
  assert.ok(!existsSync(nowhere))
})

test('names that would be one tensor are refused', async ({ folder, store }) => {
  await store.dense('t.rows', { shape: [1] })
  const path = join(folder, 'x')
  const error = await errorOf(() => store.exportTo(path, { format: 'safetensors' }))
  assert.is(error.code, 'ERR_CONFLICT')
  assert.match(error.message, /'t.rows'/)
  assert.equal(readdirSync(folder), [])
})

test('unknown tables and closed stores', async ({ folder, store }) => {
  const path = join(folder, 'x')
  const unknown: ExportOptions = { format: 'npy', tables: ['u'] }
  assert.is(await codeOf(() => store.exportTo(path, unknown)), 'ERR_NOT_FOUND')
  await store.close()
  assert.is(await codeOf(() => store.exportTo(path, { format: 'npy' })), 'ERR_CLOSED')
  const from = writeFolder(join(folder, 'a'), { key: BigInt64Array.of(1n), emb_vector: floats(1) })
  assert.is(await codeOf(() => store.importFrom(from, { table: 't' })), 'ERR_CLOSED')
})

test('wrong arguments throw at once and name the argument', ({ folder, store }) => {
  const wrong: [() => unknown, RegExp][] = [
    [() => store.exportTo(1 as never, { format: 'npy' }), /^path: /],
    [() => store.exportTo('', { format: 'npy' }), /^path: /],
    [() => store.exportTo(folder, undefined as never), /^options: /],
    [() => store.exportTo(folder, { format: 'csv' as never }), /^format: /],
    [() => store.exportTo(folder, { format: 'npy', table: 't' } as never), /^options: /],
    [() => store.exportTo(folder, { format: 'npy', tables: 't' as never }), /^tables: /],
    [() => store.exportTo(folder, { format: 'npy', state: 1 as never }), /^state: /],
    [() => store.exportTo(folder, { format: 'npy', signal: {} as never }), /^signal: /],
    [() => store.exportTo(folder, { format: 'npy', onProgress: 1 as never }), /^onProgress: /],
    [() => store.importFrom(folder, { format: 'csv' as never }), /^format: /],
    [() => store.importFrom(folder, { table: '' }), /^name: /],
    [() => store.importFrom(folder, { names: { key: 'a' } as never }), /^names: /],
    [() => store.importFrom(folder, { slots: 'yes' as never }), /^slots: /],
    [() => store.importFrom(folder, { options: { optimizer: 'adam' as never } }), /^optimizer/],
  ]
  for (const [call, message] of wrong) {
    const error = errorAtOnce(call)
    assert.is(error.code, 'ERR_INVALID_ARGUMENT', String(call))
    assert.match(error.message, message)
  }
})

test.run()
