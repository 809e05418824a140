// Bags: pooled lookups and the push of their gradients, against a plain reference in f64.

import { constant, type InitializerOptions, type PoolingOptions, sum, uniform } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  close,
  filled,
  floats,
  keyRange,
  keys,
  randomFloats,
  randomNumbers,
  same,
} from './support/arrays.ts'
import { open } from './support/open.ts'

const test = suite('pooled')
const kModes = ['sum', 'mean', 'sqrtn'] as const
type Mode = (typeof kModes)[number]

/** Weight over divisor of each key, by its bag. */
function shares(offsets: Uint32Array, mode: Mode, weights?: Float32Array): number[] {
  const all: number[] = []
  for (let bag = 0; bag + 1 < offsets.length; bag++) {
    const [first, last] = [offsets[bag] as number, offsets[bag + 1] as number]
    const own = Array.from({ length: last - first }, (_, i) => weights?.[first + i] ?? 1)
    const total = own.reduce((sum_, u) => sum_ + (mode === 'sqrtn' ? u * u : u), 0)
    const divisor = { sum: 1, mean: total, sqrtn: Math.sqrt(total) }[mode]
    for (const u of own) all.push(divisor === 0 ? 0 : u / divisor)
  }
  return all
}

/** `lookupPooled` over `rows`, one row a key. */
function pooled(rows: Float32Array, dim: number, offsets: Uint32Array, share: number[]): number[] {
  const out = new Array<number>((offsets.length - 1) * dim).fill(0)
  for (let bag = 0; bag + 1 < offsets.length; bag++) {
    for (let i = offsets[bag] as number; i < (offsets[bag + 1] as number); i++) {
      for (let d = 0; d < dim; d++) {
        const at = bag * dim + d
        out[at] = (out[at] as number) + (share[i] as number) * (rows[i * dim + d] as number)
      }
    }
  }
  return out
}

/** Bags of 0 to 5 keys, some keys more than once, some without a row. */
function randomBags(bags: number, seed: number) {
  const next = randomNumbers(seed)
  const offsets = new Uint32Array(bags + 1)
  for (let i = 1; i <= bags; i++) offsets[i] = (offsets[i - 1] as number) + Math.floor(next() * 6)
  const n = offsets[bags] as number
  const chosen = BigUint64Array.from({ length: n }, () => BigInt(Math.floor(next() * 60)))
  const weights = Float32Array.from({ length: n }, () => next() * 2 + 0.01)
  return { offsets, keys: chosen, weights }
}

async function openTable(dim: number, initializer: InitializerOptions = uniform(1)) {
  const store = await open(':memory:')
  const table = await store.table('t', { dim, optimizer: sum(), initializer })
  await table.push(keyRange(0, 40), randomFloats(40 * dim, 3))
  return { store, table }
}

for (const mode of kModes) {
  for (const weighted of [false, true]) {
    const what = `${mode}${weighted ? ' with weights' : ''}`

    test(`lookupPooled by ${what} agrees with the reference`, async () => {
      for (const dim of [1, 7, 16, 33]) {
        const { store, table } = await openTable(dim)
        const bags = randomBags(50, dim)
        const rows = await table.lookup(bags.keys)
        const options: PoolingOptions = weighted ? { mode, weights: bags.weights } : { mode }
        const share = shares(bags.offsets, mode, options.weights)
        const found = await table.lookupPooled(bags.keys, bags.offsets, options)
        close(found, pooled(rows, dim, bags.offsets, share))
        await store.close()
      }
    })

    test(`pushPooled by ${what} pushes to each key its share`, async () => {
      const dim = 5
      const { store, table } = await openTable(dim)
      const bags = randomBags(50, 11)
      const every = keyRange(0, 60)
      const expected = [...(await table.lookup(every))]
      const gradients = randomFloats(50 * dim, 12)
      const options: PoolingOptions = weighted ? { mode, weights: bags.weights } : { mode }
      const share = shares(bags.offsets, mode, options.weights)
      for (let bag = 0; bag < 50; bag++) {
        const [first, last] = [bags.offsets[bag] as number, bags.offsets[bag + 1] as number]
        for (let i = first; i < last; i++) {
          for (let d = 0; d < dim; d++) {
            const at = Number(bags.keys[i]) * dim + d
            const change = (share[i] as number) * (gradients[bag * dim + d] as number)
            expected[at] = (expected[at] as number) + change
          }
        }
      }
      await table.pushPooled(bags.keys, bags.offsets, gradients, options)
      close(await table.lookup(every), expected)
      await store.close()
    })
  }
}

test('by default bags are summed', async () => {
  const { store, table } = await openTable(2, constant(1))
  await table.update(keys(1, 2), floats(1, 2, 30, 40))
  same(await table.lookupPooled(keys(1, 2, 1), Uint32Array.of(0, 2, 3)), [31, 42, 1, 2])
  await store.close()
})

test('an empty bag pools to zeros, whatever the initializer', async () => {
  const { store, table } = await openTable(2, constant(7))
  for (const mode of kModes) {
    const out = filled(6, 9)
    await table.lookupPooled(keys(100), Uint32Array.of(0, 0, 1, 1), { mode, out })
    same(out, [0, 0, 7, 7, 0, 0])
  }
  await store.close()
})

test('a bag whose divisor is zero pools to zeros and pushes nothing', async () => {
  const { store, table } = await openTable(2, constant(3))
  const weights = floats(1, -1)
  const bag = Uint32Array.of(0, 2)
  same(await table.lookupPooled(keys(70, 71), bag, { mode: 'mean', weights }), [0, 0])
  await table.pushPooled(keys(70, 71), bag, floats(5, 5), { mode: 'mean', weights })
  same(await table.lookup(keys(70, 71)), [3, 3, 3, 3])
  await store.close()
})

test('values are added in the order of the keys', async () => {
  const { store, table } = await openTable(1, constant(0))
  const values = [1e8, 1, -1e8, 0.25]
  await table.update(keys(1, 2, 3, 4), floats(...values))
  const expected = values.reduce((total, value) => Math.fround(total + value))
  same(await table.lookupPooled(keys(1, 2, 3, 4), Uint32Array.of(0, 4)), [expected])
  await store.close()
})

test('large batches of bags give the same as small ones', async () => {
  const dim = 3
  const { store, table } = await openTable(dim)
  const bags = randomBags(20_000, 5)
  const all = await table.lookupPooled(bags.keys, bags.offsets, { mode: 'mean' })
  for (const bag of [0, 1, 9_999, 19_999]) {
    const [first, last] = [bags.offsets[bag] as number, bags.offsets[bag + 1] as number]
    const offsets = Uint32Array.of(0, last - first)
    const one = await table.lookupPooled(bags.keys.subarray(first, last), offsets, { mode: 'mean' })
    same(one, all.subarray(bag * dim, (bag + 1) * dim), `bag ${bag}`)
  }
  assert.is(all.length, 20_000 * dim)
  await store.close()
})

test.run()
