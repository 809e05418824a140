// Whatever the batches: a table with a tier behind it gives what a Map of both would give, and asks
// the tier for nothing twice in a batch, and for nothing that the local table has.

import fc from 'fast-check'
import { open, tieredTable } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bitsOf, keys, kLastKey, same } from '../support/arrays.ts'
import { MapTier } from '../support/tiers.ts'

const test = suite('tiered, any batch')

const kRuns = 60 * Number(process.env.HOTROW_TEST_SCALE ?? 1)

/** Few keys, so that they meet, and among them the ends of the key space. */
const anyKey = fc.oneof(fc.bigInt(0n, 12n), fc.constantFrom(2n ** 32n, 2n ** 63n, kLastKey))
const anyRows = fc.uniqueArray(anyKey, { maxLength: 12 })

const anyCase = fc.record({
  local: anyRows,
  remote: anyRows,
  batches: fc.array(
    fc.record({
      batch: fc.array(anyKey, { maxLength: 40 }),
      ends: fc.constantFrom('well', 'well', 'rejects', 'wrong size', 'slow'),
    }),
    { maxLength: 6 },
  ),
  promoteAfter: fc.constantFrom(0, 1, 2, 3),
  promotedRows: fc.constantFrom(1, 3, 100),
})

const kMissing = -7
const rowOf = (where: number, key: bigint): number[] => [where, Number(key % 1000n)]

/** How the tier spoils its answer. */
const kSpoiled: Record<string, () => unknown> = {
  rejects: () => Promise.reject(new Error('down')),
  'wrong size': () => [],
  slow: () => new Promise((later) => setTimeout(later, 60)),
}

test('rows, bits, requests and failures', async () => {
  const property = fc.asyncProperty(anyCase, async (given) => {
    await using store = await open(':memory:')
    const table = await store.table('t', { dim: 2 })
    const tier = new MapTier()
    for (const key of given.remote) tier.put('t', key, ...rowOf(2, key))
    await table.update(
      keys(...given.local),
      Float32Array.from(given.local.flatMap((key) => rowOf(1, key))),
    )
    const { promoteAfter, promotedRows } = given
    const tiered = tieredTable(table, tier, { promoteAfter, promotedRows, timeoutMs: 25 })
    const local = new Set(given.local)
    for (const { batch, ends } of given.batches) {
      const asked = tier.calls.length
      tier.instead = kSpoiled[ends]
      const out = new Float32Array(batch.length * 2).fill(99)
      const found = new Uint8Array(Math.ceil(batch.length / 8)).fill(0x55)
      const untouched = found.slice()
      const held = new Uint8Array(found.length)
      await table.lookup(keys(...batch), { found: held })
      const misses = new Set(batch.filter((_, i) => !bitsOf(held, batch.length)[i]))
      const looked = tiered.lookup(keys(...batch), { out, found, missing: kMissing })
      const ended = await looked.then(
        () => 'well',
        (error: { code?: string }) => error.code,
      )
      assert.equal(tier.calls.slice(asked), misses.size > 0 ? [[...misses]] : [])
      if (ends !== 'well' && misses.size > 0) {
        assert.is(ended, ends === 'wrong size' ? 'ERR_CORRUPTION' : 'ERR_IO_ERROR')
        same(out, new Float32Array(out.length).fill(99))
        assert.equal(found, untouched)
        continue
      }
      assert.is(ended, 'well')
      const remote = new Set(given.remote)
      const there = batch.map((key) => local.has(key) || remote.has(key))
      const expected = batch.flatMap((key, i) => {
        if (local.has(key)) return rowOf(1, key)
        return there[i] ? rowOf(2, key) : [kMissing, kMissing]
      })
      same(out, expected)
      assert.equal(bitsOf(found, batch.length), there)
    }
    const { rows } = await table.stats()
    assert.ok(rows >= local.size && rows <= local.size + (promoteAfter === 0 ? 0 : promotedRows))
  })
  await fc.assert(property, { numRuns: kRuns })
})

test.run()
