// What is exported and imported again is the same, bit by bit, in every format.

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  adagrad,
  adam,
  adamw,
  type ExportFormat,
  ftrl,
  normal,
  open,
  rowwiseAdagrad,
  type Store,
  sgd,
  slotKey,
  type TableOptions,
  uniform,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floats, keyRange, keys, kLastKey, randomFloats, same } from '../support/arrays.ts'
import { sameStores } from '../support/stores.ts'

const formats: ExportFormat[] = ['safetensors', 'npy', 'arrow']
const test = suite<{ folder: string }>('round trips')

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
})
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }))

async function copied(
  path: string,
  format: ExportFormat,
  fill: (store: Store) => Promise<void>,
): Promise<void> {
  await using store = await open(':memory:')
  await using copy = await open(':memory:')
  await fill(store)
  await store.exportTo(path, { format })
  await copy.importFrom(path)
  await sameStores(copy, store)
}

const optimizers = [sgd(), adagrad(), rowwiseAdagrad(), adam(), ftrl()]
const valueTypes = ['f32', 'f16', 'bf16', 'i8', 'i4'] as const

const anyTable = fc.record({
  dim: fc.integer({ min: 1, max: 12 }),
  valueType: fc.constantFrom(...valueTypes),
  optimizer: fc.constantFrom(...optimizers),
  rows: fc.integer({ min: 0, max: 300 }),
  seed: fc.nat(),
})

type AnyTable = typeof anyTable extends fc.Arbitrary<infer T> ? T : never

async function fillTable(
  store: Store,
  name: string,
  { dim, valueType, optimizer, rows, seed }: AnyTable,
): Promise<void> {
  const table = await store.table(name, { dim, valueType, optimizer, initializer: normal(0, 1) })
  const batch = BigUint64Array.from(keyRange(0, rows), (key) =>
    BigInt.asUintN(64, key * 0x9e3779b97f4a7c15n),
  )
  await table.update(batch, randomFloats(rows * dim, seed))
  if (valueType.startsWith('i')) return
  await table.push(batch, randomFloats(rows * dim, seed + 1))
  await table.push(batch, randomFloats(rows * dim, seed + 2))
}

for (const format of formats) {
  test(`${format}: any tables, with their state`, async ({ folder }) => {
    let number = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyTable, { maxLength: 3 }), (tables) =>
        copied(join(folder, String(number++)), format, async (store) => {
          for (const [i, table] of tables.entries()) await fillTable(store, `t${i}`, table)
          const dense = await store.dense('d', { shape: [3, 1, 5], optimizer: adam() })
          await dense.push(randomFloats(15, number))
        }),
      ),
      { numRuns: 15 },
    )
  })

  test(`${format}: names of every kind, all options, the ends of the key space`, ({ folder }) =>
    copied(join(folder, 'x'), format, async (store) => {
      const options: TableOptions = {
        dim: 3,
        valueType: 'bf16',
        rounding: 'stochastic',
        optimizer: adamw({ learningRate: 0.003, weightDecay: 0.1 }),
        initializer: uniform(0.25),
        missing: 'zeros',
        nonFinite: 'skip',
        admission: { minCount: 2 },
        eviction: { policy: 'ageingLfu', maxRows: 1000, halfLife: 5000, background: true },
        hotKeys: 8,
        seed: kLastKey,
        groups: [{ firstSlot: 1, lastSlot: 2, rateScale: 0.5, frozen: true }],
      }
      const names = ['../up', 'a b', 'a', 'A', '__proto__', 'é/ü', '.', '*', 'x'.repeat(255)]
      for (const name of names) {
        const table = await store.table(name, options)
        await table.update(keys(0, kLastKey, slotKey(1, 5)), floats(1, 2, 3, 4, 5, 6, 7, 8, 9))
      }
      await store.table('empty', { dim: 2 })
      await store.dense('d.x', { shape: [2], nonFinite: 'skip', seed: 12 })
    }))

  test(`${format}: a quantised table of many rows`, ({ folder }) =>
    copied(join(folder, 'x'), format, async (store) => {
      for (const valueType of ['i8', 'i4'] as const) {
        for (const dim of [1, 2, 5, 31]) {
          const table = await store.table(`${valueType} ${dim}`, { dim, valueType })
          await table.update(keyRange(0, 5000), randomFloats(5000 * dim, dim))
        }
      }
    }))

  test(`${format}: without state, and only some tables`, async ({ folder }) => {
    const store = await open(':memory:')
    const copy = await open(':memory:')
    for (const name of ['a', 'b']) {
      const table = await store.table(name, { dim: 1, optimizer: adagrad() })
      await table.push(keys(1, 2), floats(1, 2))
    }
    await store.dense('d', { shape: [2] })
    const path = join(folder, 'x')
    const report = await store.exportTo(path, { format, tables: ['b', 'd'], state: false })
    assert.equal(report.tables, [{ name: 'b', rows: 2, state: false }])
    assert.equal(report.dense, [{ name: 'd', state: false }])
    assert.ok(report.bytes > 0)
    const imported = await copy.importFrom(path, { tables: ['b'], table: 'c' })
    assert.equal(imported.tables, [{ name: 'c', rows: 2, state: false }])
    assert.equal(imported.dense, [])
    const [from, to] = [await store.table('b'), await copy.table('c')]
    same(await to.lookup(keys(1, 2)), await from.lookup(keys(1, 2)))
    same(await to.lookupState(keys(1, 2)), [0.1, 0.1].map(Math.fround))
    assert.equal(await readdir(folder), ['x'], 'nothing is left beside it')
    await store.close()
    await copy.close()
  })

  test(`${format}: a store on disk, versions and all`, async ({ folder }) => {
    const path = join(folder, 'x')
    {
      await using store = await open(join(folder, 's'))
      const table = await store.table('t', { dim: 2, optimizer: adam() })
      await table.push(keyRange(0, 10_000), randomFloats(20_000, 1))
      await store.commit()
    }
    await using store = await open(join(folder, 's'))
    await store.exportTo(path, { format })
    {
      await using copy = await open(join(folder, 'c'))
      await copy.importFrom(path)
      await copy.commit()
    }
    await using copy = await open(join(folder, 'c'))
    await sameStores(copy, store)
  })
}

test.run()
