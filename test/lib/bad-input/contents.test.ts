// Arrays of the right class and length with wrong contents: NaN and infinity among gradients, rows
// and weights, and offsets that do not rise from 0 to the number of keys.

import { adam, constant, open, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, kLastKey, same } from '../support/arrays.ts'
import { type Fixture, kDim, openFixture, refuses } from '../support/refusals.ts'

const test = suite<Fixture>('bad contents')

test.before.each(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after.each((fixture) => fixture.store.close())

const { NaN: kNaN, POSITIVE_INFINITY: kInfinity } = Number
const kBad = [kNaN, kInfinity, -kInfinity]
/** The largest f32. */
const kHuge = 3.4028234663852886e38

/** Rows of ones with `value` at one place. */
function onesBut(count: number, at: number, value: number): Float32Array {
  const rows = filled(count * kDim, 1)
  rows[at] = value
  return rows
}

test('a push with NaN or infinity anywhere is rejected as a whole', async (fixture) => {
  const { table } = fixture
  for (const bad of kBad) {
    for (const at of [0, kDim - 1, 5 * kDim + 1, 9 * kDim + 3]) {
      const key = at < kDim ? kLastKey : BigInt(100 + Math.floor(at / kDim))
      const batch = BigUint64Array.from({ length: 10 }, (_, i) => (i ? BigInt(100 + i) : kLastKey))
      const message = new RegExp(`^gradients: expected finite values, .* key ${key}$`)
      const refusal = { kind: 'StoreError', message } as const
      await refuses(fixture, () => table.push(batch, onesBut(10, at, bad)), refusal)
    }
  }
})

test('one NaN among many thousand gradients is found', async (fixture) => {
  const { table } = fixture
  const many = keyRange(0, 20_000)
  const refusal = { kind: 'StoreError', message: /gradients: .* key 12345$/ } as const
  await refuses(fixture, () => table.push(many, onesBut(20_000, 12_345 * kDim, kNaN)), refusal)
})

test('an update with NaN or infinity is rejected as a whole', async (fixture) => {
  const { table } = fixture
  for (const bad of kBad) {
    const refusal = { kind: 'StoreError', message: /^rows: expected finite .* key 3$/ } as const
    await refuses(fixture, () => table.update(keys(1, 2, 3), onesBut(3, 10, bad)), refusal)
  }
})

test('a pooled push with NaN in a gradient or a weight is rejected as a whole', async (fixture) => {
  const { table } = fixture
  const bag = Uint32Array.of(0, 2, 3)
  for (const bad of kBad) {
    const gradients = { kind: 'StoreError', message: /^gradients: expected finite/ } as const
    const push = () => table.pushPooled(keys(1, 5, 6), bag, onesBut(2, kDim, bad))
    await refuses(fixture, push, gradients)
    const weights = { kind: 'StoreError', message: /^weights: expected finite/ } as const
    const weighted = () =>
      table.pushPooled(keys(1, 5, 6), bag, filled(2 * kDim, 1), { weights: floats(1, bad, 1) })
    await refuses(fixture, weighted, weights)
  }
})

test('finite gradients of one key whose sum overflows are rejected', async (fixture) => {
  const { table } = fixture
  const gradients = onesBut(3, 0, kHuge)
  gradients[kDim] = kHuge
  const refusal = { kind: 'StoreError', message: /^gradients: expected finite .* key 7$/ } as const
  await refuses(fixture, () => table.push(keys(7, 7, 8), gradients), refusal)
})

test('finite weights and gradients whose product overflows are rejected', async (fixture) => {
  const { table } = fixture
  const push = () =>
    table.pushPooled(keys(7), Uint32Array.of(0, 1), filled(kDim, kHuge), { weights: floats(4) })
  await refuses(fixture, push, { kind: 'StoreError', message: /^gradients: expected finite/ })
})

test('the largest finite gradients are fine', async ({ table }) => {
  await table.push(keys(9), floats(kHuge, -kHuge, 1e-45, -0))
  const [high, low, ...rest] = await table.lookup(keys(9))
  assert.equal([high, low], [kHuge, -kHuge])
  assert.ok(rest.every(Number.isFinite))
})

test('a rejected push does not count as a step of adam', async ({ store }) => {
  const options = { dim: 2, optimizer: adam(), initializer: constant(1) }
  const [a, b] = [await store.table('a', options), await store.table('b', options)]
  for (let step = 0; step < 3; step++) {
    await a.push(keys(1), floats(1, kNaN)).catch(() => {})
    await Promise.all([a.push(keys(1), floats(1, 2)), b.push(keys(1), floats(1, 2))])
  }
  assert.equal(await a.lookup(keys(1)), await b.lookup(keys(1)))
})

async function openSkipping(fixture: Fixture): Promise<Table> {
  return fixture.store.table('skipping', { dim: 2, optimizer: sum(), nonFinite: 'skip' })
}

test('nonFinite: skip leaves bad rows out, applies the others and counts', async (fixture) => {
  const table = await openSkipping(fixture)
  await table.push(keys(1, 2, 3), floats(1, 2, kNaN, 1, 3, 4))
  same(await table.lookup(keys(1, 2, 3)), [1, 2, 0, 0, 3, 4])
  await table.push(keys(1, 1, 1), floats(1, 1, 1, kInfinity, 2, 2))
  same(await table.lookup(keys(1)), [4, 5])
  await table.update(keys(3, 4), floats(kNaN, 1, 9, 9))
  same(await table.lookup(keys(3, 4)), [3, 4, 9, 9])
  const { rows, skippedGradients, pushes, updates } = await table.stats()
  assert.equal([rows, skippedGradients, pushes, updates], [3, 3, 4, 1])
})

test('nonFinite: skip leaves out a key whose sum overflows', async (fixture) => {
  const table = await openSkipping(fixture)
  await table.push(keys(1, 1, 2), floats(kHuge, 1, kHuge, 1, 5, 6))
  same(await table.lookup(keys(1, 2)), [0, 0, 5, 6])
  const { rows, skippedGradients } = await table.stats()
  assert.is(rows, 1)
  assert.ok(skippedGradients >= 1)
})

test('nonFinite: skip makes no row of a key that has only bad gradients', async (fixture) => {
  const table = await openSkipping(fixture)
  await table.push(keys(1, 2), filled(4, kNaN))
  await table.pushPooled(keys(3, 4), Uint32Array.of(0, 2), floats(kNaN, 0))
  const { rows, skippedGradients } = await table.stats()
  assert.equal([rows, skippedGradients], [0, 4])
})

const kBadOffsets: [number[], RegExp][] = [
  [[1, 3], /^offsets: expected 0 first, received 1$/],
  [[0], /^offsets: expected the number of keys, 3, last, received 0$/],
  [[0, 2], /^offsets: expected the number of keys, 3, last, received 2$/],
  [[0, 4], /^offsets: expected the number of keys, 3, last, received 4$/],
  [[0, 2 ** 32 - 1], /^offsets: expected the number of keys, 3, last, received 4294967295$/],
  [[0, 2, 1, 3], /^offsets: expected rising values, received 1 after 2 at 2$/],
  [[0, 2 ** 31, 3], /^offsets: expected rising values, received 3 after 2147483648 at 2$/],
]

test('offsets that do not rise from 0 to the number of keys are refused', async (fixture) => {
  const { table } = fixture
  const three = keys(1, 2, 30)
  for (const [values, message] of kBadOffsets) {
    const offsets = Uint32Array.from(values)
    const refusal = { kind: 'RangeError', message } as const
    const out = filled((values.length - 1) * kDim, 5)
    await refuses(fixture, () => table.lookupPooled(three, offsets, { out }), refusal)
    assert.ok(
      out.every((value) => value === 5),
      'out is left alone',
    )
    const gradients = filled((values.length - 1) * kDim, 1)
    await refuses(fixture, () => table.pushPooled(three, offsets, gradients), refusal)
  }
})

test('weights of NaN in a lookup spoil their own bags only', async ({ table }) => {
  const weights = floats(kNaN, 1, 2)
  const found = await table.lookupPooled(keys(1, 2, 1), Uint32Array.of(0, 1, 2, 3), { weights })
  assert.ok(found.subarray(0, kDim).every(Number.isNaN))
  assert.ok(found.subarray(kDim).every(Number.isFinite))
})

test('a store without bad input goes on as if nothing had been', async () => {
  await using store = await open(':memory:')
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  for (let i = 0; i < 50; i++) {
    await table.push(keys(1), floats(kNaN)).catch(() => {})
    await table.push(keys(1), floats(1))
  }
  same(await table.lookup(keys(1)), [50])
})

test.run()
