// Initial rows: pure functions of (seed, key, position), so the same in every store and process.

import {
  constant,
  type InitializerOptions,
  normal,
  type TableOptions,
  truncatedNormal,
  uniform,
  zeros,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, keys, kLastKey, same } from './support/arrays.ts'
import { open } from './support/open.ts'

const test = suite('initializers')
const kRandom: [string, InitializerOptions][] = [
  ['uniform', uniform(0.5)],
  ['normal', normal(2, 1)],
  ['truncatedNormal', truncatedNormal(2, 1)],
]

/** The initial rows of `wanted` in a store of its own. */
async function initialRows(
  wanted: BigUint64Array,
  options: Partial<TableOptions>,
  name = 't',
): Promise<Float32Array> {
  await using store = await open(':memory:', { threads: 2 })
  const table = await store.table(name, { dim: 8, ...options })
  return await table.lookup(wanted)
}

function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
  return { mean, deviation: Math.sqrt(square) }
}

test('zeros and constant are what they say', async () => {
  same(await initialRows(keys(1, 2), { initializer: zeros() }), filled(16, 0))
  same(await initialRows(keys(1), { initializer: constant(-1.25) }), filled(8, -1.25))
})

test('by default rows begin as zeros', async () => {
  same(await initialRows(keys(1), {}), filled(8, 0))
})

for (const [name, initializer] of kRandom) {
  test(`${name}: one key has one initial row in every store`, async () => {
    const wanted = keys(0, 1, 77, 2n ** 63n, kLastKey)
    const first = await initialRows(wanted, { initializer, seed: 5 })
    assert.equal(await initialRows(wanted, { initializer, seed: 5n }, 'another name'), first)
    const reversed = await initialRows(wanted.toReversed(), { initializer, seed: 5 })
    for (let i = 0; i < wanted.length; i++) {
      const mirrored = (wanted.length - 1 - i) * 8
      assert.equal(reversed.slice(mirrored, mirrored + 8), first.slice(i * 8, i * 8 + 8))
    }
  })

  test(`${name}: other seeds, keys and positions give other values`, async () => {
    const initial = (seed: bigint) => initialRows(keyRange(0, 500), { initializer, seed })
    const all = await Promise.all([1n, 2n, 2n ** 63n, 2n ** 64n - 1n].map(initial))
    const distinct = new Set(all.flatMap((rows) => [...rows]))
    // 16,000 draws of 24 bits: a few meet by chance.
    assert.ok(distinct.size > 15_800, `${distinct.size} distinct values of 16000`)
  })

  test(`${name}: without a seed the name of the table is the seed`, async () => {
    const wanted = keyRange(0, 4)
    const first = await initialRows(wanted, { initializer }, 'user')
    assert.equal(await initialRows(wanted, { initializer }, 'user'), first)
    assert.not.equal(await initialRows(wanted, { initializer }, 'item'), first)
  })

  test(`${name}: a push starts from the row that lookups gave`, async () => {
    await using store = await open(':memory:')
    const options = { dim: 8, initializer, optimizer: { kind: 'sum' } } as const
    const table = await store.table('t', options)
    const before = await table.lookup(keys(1, 2))
    await table.push(keys(1), filled(8, 0))
    await table.update(keys(9), filled(8, 3))
    assert.equal(await table.lookup(keys(1, 2)), before)
    await table.erase(keys(1))
    assert.equal(await table.lookup(keys(1, 2)), before)
  })
}

test('a longer row begins as a shorter one', async () => {
  const options = { initializer: uniform(1), seed: 3 }
  const short = await initialRows(keys(5), { ...options, dim: 8 })
  const long = await initialRows(keys(5), { ...options, dim: 21 })
  assert.equal(long.slice(0, 8), short)
})

test('uniform fills its interval evenly', async () => {
  const wanted = keyRange(0, 5000)
  const one = await initialRows(wanted, { initializer: uniform(0.5) })
  assert.ok(one.every((x) => x >= -0.5 && x < 0.5))
  assert.ok(Math.abs(moments(one).mean) < 0.01)
  const two = await initialRows(wanted, { initializer: uniform(3, 7) })
  assert.ok(two.every((x) => x >= 3 && x < 7))
  const { mean, deviation } = moments(two)
  assert.ok(Math.abs(mean - 5) < 0.03 && Math.abs(deviation - 4 / Math.sqrt(12)) < 0.03)
  const deciles = new Array<number>(10).fill(0)
  for (const x of two) deciles[Math.floor((x - 3) * 2.5)]!++
  assert.ok(
    deciles.every((count) => Math.abs(count - 4000) < 300),
    String(deciles),
  )
})

test('normal has the mean and the deviation asked for', async () => {
  const rows = await initialRows(keyRange(0, 5000), { initializer: normal(2, 1) })
  const { mean, deviation } = moments(rows)
  assert.ok(Math.abs(mean - 1) < 0.05 && Math.abs(deviation - 2) < 0.05, `${mean} ${deviation}`)
  const beyond = rows.filter((x) => Math.abs(x - 1) > 4).length / rows.length
  assert.ok(Math.abs(beyond - 0.0455) < 0.01, `${beyond} beyond two deviations`)
})

test('truncatedNormal stays within two deviations', async () => {
  const rows = await initialRows(keyRange(0, 5000), { initializer: truncatedNormal(2, 1) })
  assert.ok(rows.every((x) => Math.abs(x - 1) <= 4.00001))
  const { mean, deviation } = moments(rows)
  // Cutting at two deviations leaves 0.8796 of the deviation.
  assert.ok(Math.abs(mean - 1) < 0.05 && Math.abs(deviation - 1.759) < 0.05, `${mean} ${deviation}`)
})

test('a deviation of zero gives the mean', async () => {
  same(await initialRows(keys(1), { initializer: normal(0, 3) }), filled(8, 3))
  same(await initialRows(keys(1), { initializer: truncatedNormal(0, 3) }), filled(8, 3))
})

test.run()
