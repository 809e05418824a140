// `found` and the arrays beside it: detached, resized, or in one piece of memory.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { detach, filled, keys, resizableBuffer } from '../support/arrays.ts'
import {
  assertRefusal,
  errorOf,
  type Fixture,
  kDim,
  openFixture,
  refuses,
} from '../support/refusals.ts'

const test = suite<Fixture>('found')

test.before.each(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after.each((fixture) => fixture.store.close())

const twoKeys = () => keys(1, 2)
const twoRows = () => filled(2 * kDim, 1)

type IntoFound = (fixture: Fixture, found: Uint8Array, out?: Float32Array) => Promise<unknown>

/** Calls into `found` of two keys and, where they take one, into `out`. */
const kIntoFound: [string, IntoFound][] = [
  ['lookup', ({ table }, found, out) => table.lookup(twoKeys(), out ? { found, out } : { found })],
  ['lookupState', ({ table }, found) => table.lookupState(twoKeys(), { found })],
  [
    'lookupConcat',
    ({ store, table }, found) => store.lookupConcat([[table, twoKeys(), { found }]]),
  ],
]

for (const [name, call] of kIntoFound) {
  test(`${name} rejects when found is detached or resized under way`, async (fixture) => {
    const found = new Uint8Array(1)
    const out = twoRows()
    const detached = errorOf(() => call(fixture, found, out))
    detach(found)
    const gone = /^found: expected Uint8Array, received one whose buffer is detached$/
    assertRefusal(await detached, { kind: 'TypeError', message: gone })
    assert.equal(out, twoRows(), 'out is left alone')
    for (const length of [0, 2]) {
      const buffer = resizableBuffer(1, 2)
      const resized = errorOf(() => call(fixture, new Uint8Array(buffer), out))
      buffer.resize(length)
      const message = new RegExp(`^found: expected 1 bytes .*as when.*, received ${length}$`)
      assertRefusal(await resized, { kind: 'RangeError', message })
      assert.equal(out, twoRows())
    }
  })
}

test('found is left alone when out is detached under way', async ({ table }) => {
  const [found, out] = [new Uint8Array(1), twoRows()]
  const refused = errorOf(() => table.lookup(twoKeys(), { found, out }))
  detach(out)
  assertRefusal(await refused, { kind: 'TypeError', message: /^out: .* detached$/ })
  assert.is(found[0], 0)
})

test('two requests of which one found is detached leave the other alone', async (fixture) => {
  const { store, table } = fixture
  const [first, second] = [new Uint8Array(1), new Uint8Array(1)]
  const refused = errorOf(() =>
    store.lookupConcat([
      [table, twoKeys(), { found: first }],
      [table, twoKeys(), { found: second }],
    ]),
  )
  detach(second)
  assertRefusal(await refused, { kind: 'TypeError', message: /^found: .* detached$/ })
  assert.is(first[0], 0)
})

/** Views of one buffer that share some bytes: keys, out and found of two keys of four values. */
function sharing(): Record<'keys' | 'out' | 'found', [BigUint64Array, Float32Array, Uint8Array]> {
  const own = (): [BigUint64Array, Float32Array, Uint8Array] => {
    return [twoKeys(), twoRows(), new Uint8Array(1)]
  }
  const [keysOut, foundOut] = [own(), own()]
  keysOut[0] = new BigUint64Array(keysOut[1].buffer, 16, 2)
  foundOut[2] = new Uint8Array(foundOut[1].buffer, 31, 1)
  return { keys: keysOut, out: foundOut, found: own() }
}

test('keys, out and found of a call may not share memory', async (fixture) => {
  const { store, table } = fixture
  const message = (argument: string) =>
    `${argument}: expected memory apart from that of out, received an array that shares some`
  const { keys: withKeys, out: withFound, found: apart } = sharing()
  const sync = ([k, out, found]: typeof apart) => table.lookupSync(k, out, { found })
  const concat = ([k, out, found]: typeof apart) =>
    store.lookupConcatSync([[table, k, { found }]], { out })
  const range = (argument: string) => ({ kind: 'RangeError', message: message(argument) }) as const
  await refuses(fixture, () => sync(withKeys), range('keys'))
  await refuses(fixture, () => table.lookupSync(withKeys[0], withKeys[1]), range('keys'))
  await refuses(fixture, () => concat(withKeys), range('requests[0] keys'))
  await refuses(fixture, () => sync(withFound), range('found'))
  await refuses(fixture, () => concat(withFound), range('requests[0] options.found'))
  const looking = () => table.lookup(withFound[0], { out: withFound[1], found: withFound[2] })
  await refuses(fixture, looking, range('found'))
  assert.equal([...apart[1]], [...twoRows()])
  sync(apart)
  concat(apart)
})

test('keys and out of a call on the lane may share memory: keys are copied', async ({ table }) => {
  const expected = table.lookupSync(twoKeys())
  const out = filled(8, 0)
  const shared = new BigUint64Array(out.buffer, 16, 2)
  shared.set([1n, 2n])
  assert.equal(await table.lookup(shared, { out }), expected)
})

test('neighbours in one buffer are apart', async ({ table }) => {
  const buffer = new ArrayBuffer(16 + 32 + 1)
  const [k, out] = [new BigUint64Array(buffer, 0, 2), new Float32Array(buffer, 16, 8)]
  const found = new Uint8Array(buffer, 48, 1)
  k.set([1n, 50n])
  assert.equal(table.lookupSync(k, out, { found }), table.lookupSync(keys(1, 50)))
  assert.is(found[0], 1)
})

test.run()
