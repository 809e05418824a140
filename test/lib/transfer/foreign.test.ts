// Files of other programs: made here by hand, by the documented formats.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ImportOptions, open, type Store, slotKey } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floats, keys, same } from '../support/arrays.ts'
import { brains, halves, npyOf, tensorsOf, writeFolder } from '../support/foreign.ts'

const test = suite<{ folder: string; store: Store }>('foreign files')

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  context.store = await open(':memory:')
})
test.after.each(async ({ folder, store }) => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const rows = [1, 2, -3, 0.5, 0, -8]

/** Imports a file with the rows of keys 1, 2 and 3. */
async function expectRows(
  store: Store,
  path: string,
  batch = keys(1, 2, 3),
  options: ImportOptions = { table: 't' },
): Promise<void> {
  const report = await store.importFrom(path, options)
  assert.equal(report.tables, [{ name: 't', rows: 3, state: false }])
  const table = await store.table('t')
  assert.is(table.dim, 2)
  same(await table.lookup(batch), rows)
  assert.is((await table.stats()).rows, 3)
}

function file(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

const keyArrays: Record<string, [string, string, ArrayBufferView]> = {
  u64: ['U64', '<u8', BigUint64Array.of(1n, 2n, 3n)],
  i64: ['I64', '<i8', BigInt64Array.of(1n, 2n, 3n)],
  u32: ['U32', '<u4', Uint32Array.of(1, 2, 3)],
  i32: ['I32', '<i4', Int32Array.of(1, 2, 3)],
}
const rowArrays: Record<string, [string, string | undefined, ArrayBufferView]> = {
  f32: ['F32', '<f4', floats(...rows)],
  f64: ['F64', '<f8', Float64Array.from(rows)],
  f16: ['F16', '<f2', halves(...rows)],
  bf16: ['BF16', undefined, brains(...rows)],
}

for (const [keyType, [keyDtype, keyDescr, keyData]] of Object.entries(keyArrays)) {
  for (const [rowType, [rowDtype, rowDescr, rowData]] of Object.entries(rowArrays)) {
    test(`safetensors: ${keyType} keys and ${rowType} rows`, ({ folder, store }) => {
      const bytes = tensorsOf({
        rows: [rowDtype, [3, 2], rowData],
        keys: [keyDtype, [3], keyData],
      })
      return expectRows(store, file(folder, 'a.safetensors', bytes))
    })

    if (rowDescr === undefined) continue
    test(`npy: ${keyType} keys and ${rowType} rows`, ({ folder, store }) => {
      const files = {
        'keys.npy': npyOf(keyDescr, [3], keyData),
        'rows.npy': npyOf(rowDescr, [3, 2], rowData, { version: 2 }),
      }
      return expectRows(store, writeFolder(join(folder, 'a'), files))
    })
  }
}

test('safetensors: metadata, names, dense parameters and a scalar', async ({ folder, store }) => {
  const bytes = tensorsOf(
    {
      'mlp.w': ['F16', [2, 2, 1], halves(1, 2, 3, 4)],
      bias: ['F32', [], floats(7)],
      't.rows': ['F32', [3, 2], floats(...rows)],
      't.keys': ['I64', [3], BigInt64Array.of(1n, 2n, -1n)],
    },
    { format: 'pt' },
  )
  const path = file(folder, 'model.bin', bytes)
  await expectRows(store, path, keys(1, 2, 2n ** 64n - 1n), {})
  const dense = await store.dense('mlp.w')
  assert.equal(dense.shape, [2, 2, 1])
  same(await dense.pull(), [1, 2, 3, 4])
  same(await (await store.dense('bias')).pull(), [7])
})

test('safetensors: tensors of other names', ({ folder, store }) => {
  const bytes = tensorsOf({
    weight: ['F32', [3, 2], floats(...rows)],
    ids: ['I64', [3], BigInt64Array.of(1n, 2n, 3n)],
  })
  const names = { keys: 'ids', rows: 'weight' }
  return expectRows(store, file(folder, 'a', bytes), undefined, { table: 't', names })
})

test('safetensors: keys that are not aligned', ({ folder, store }) => {
  const bytes = tensorsOf({
    pad: ['F32', [1], floats(0)],
    keys: ['U64', [3], BigUint64Array.of(1n, 2n, 3n)],
    rows: ['F32', [3, 2], floats(...rows)],
  })
  return expectRows(store, file(folder, 'a', bytes))
})

test('npy: column after column, big-endian, version 3, named pairs', ({ folder, store }) => {
  const swapped = Buffer.from(Float64Array.of(1, -3, 0, 2, 0.5, -8).buffer).swap64()
  const bigKeys = Buffer.from(BigUint64Array.of(1n, 2n, 3n).buffer).swap64()
  const files = {
    't.keys.npy': npyOf('>u8', [3], bigKeys, { version: 3 }),
    't.rows.npy': npyOf('>f8', [3, 2], swapped, { fortran: true }),
    'other.npy': npyOf('<i2', [2], Int16Array.of(1, 2)),
  }
  return expectRows(store, writeFolder(join(folder, 'a'), files), undefined, {})
})

test('npy: many rows column after column', async ({ folder, store }) => {
  const count = 70_000
  const columns = new Float32Array(count * 3)
  for (let i = 0; i < count; i++) for (let c = 0; c < 3; c++) columns[c * count + i] = i * 3 + c
  const batch = BigUint64Array.from({ length: count }, (_, i) => BigInt(i))
  const files = {
    'keys.npy': npyOf('<u8', [count], batch),
    'rows.npy': npyOf('<f4', [count, 3], columns, { fortran: true }),
  }
  await store.importFrom(writeFolder(join(folder, 'a'), files), { table: 't' })
  const expected = Float32Array.from({ length: count * 3 }, (_, i) => i)
  assert.equal(await (await store.table('t')).lookup(batch), expected)
})

test('npy: state is taken where the table has as much', async ({ folder, store }) => {
  const files = {
    'keys.npy': npyOf('<i8', [2], BigInt64Array.of(5n, 6n)),
    'rows.npy': npyOf('<f4', [2, 1], floats(1, 2)),
    'state.npy': npyOf('<f4', [2, 1], floats(3, 4)),
  }
  const path = writeFolder(join(folder, 'a'), files)
  await store.importFrom(path, { table: 't', options: { optimizer: { kind: 'adagrad' } } })
  same(await (await store.table('t')).lookupState(keys(5, 6)), [3, 4])
})

const hugectr = {
  key: BigInt64Array.of(1n, 2n, 3n),
  emb_vector: floats(...rows),
}

test('HugeCTR: keys and vectors; states are passed over', ({ folder, store }) => {
  const files = { ...hugectr, 'Adam.m': new Uint8Array(5) }
  return expectRows(store, writeFolder(join(folder, 'a'), files))
})

test('HugeCTR: slots, if they are asked for', async ({ folder, store }) => {
  const files = { ...hugectr, slot_id: BigUint64Array.of(0n, 7n, 2n ** 20n - 1n) }
  const path = writeFolder(join(folder, 'a'), files)
  await expectRows(store, path)
  await store.drop('t')
  const slotted = keys(slotKey(0, 1), slotKey(7, 2), slotKey(2 ** 20 - 1, 3))
  await expectRows(store, path, slotted, { table: 't', slots: true })
})

test('equal keys of a file: the last wins', async ({ folder, store }) => {
  const path = writeFolder(join(folder, 'a'), {
    key: BigInt64Array.of(1n, 1n),
    emb_vector: floats(1, 2),
  })
  await store.importFrom(path, { table: 't' })
  same(await (await store.table('t')).lookup(keys(1)), [2])
})

test.run()
