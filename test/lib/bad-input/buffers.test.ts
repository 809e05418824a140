// Buffers that are detached, shared with other threads, or resized, before a call and while it is
// under way.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  detach,
  filled,
  floats,
  keys,
  type ResizableBuffer,
  resizableBuffer,
  same,
} from '../support/arrays.ts'
import {
  assertRefusal,
  errorOf,
  type Fixture,
  kDim,
  openFixture,
  picture,
  type Refusal,
  refuses,
} from '../support/refusals.ts'

const test = suite<Fixture>('bad buffers')

test.before.each(async (fixture) => {
  Object.assign(fixture, await openFixture(kScored))
})
test.after.each((fixture) => fixture.store.close())

/** So that setScores is of use. */
const kScored = { eviction: { policy: 'lowestScore' } } as const

type Arrays = BigUint64Array | Float32Array | Uint32Array | Uint8Array

/** A call with all its arrays, by name; every one of them is spoilt in its turn. */
interface Call {
  name: string
  arrays: (fixture: Fixture) => Record<string, Arrays>
  call: (fixture: Fixture, arrays: never) => unknown
}

function describeCall<A extends Record<string, Arrays>>(
  name: string,
  arrays: (fixture: Fixture) => A,
  call: (fixture: Fixture, arrays: A) => unknown,
): Call {
  return { name, arrays, call }
}

const twoKeys = () => keys(1, 2)
const twoRows = () => filled(2 * kDim, 1)
const bags = () => ({ keys: twoKeys(), offsets: Uint32Array.of(0, 1, 2), weights: floats(1, 1) })

const kCalls: Call[] = [
  describeCall(
    'lookup',
    () => ({ keys: twoKeys(), out: twoRows(), found: new Uint8Array(1) }),
    ({ table }, { keys: k, out, found }) => table.lookup(k, { out, found }),
  ),
  describeCall(
    'lookupSync',
    () => ({ keys: twoKeys(), out: twoRows() }),
    ({ table }, { keys: k, out }) => table.lookupSync(k, out),
  ),
  describeCall(
    'lookupSync with options',
    () => ({ keys: twoKeys(), out: twoRows(), found: new Uint8Array(1) }),
    ({ table }, { keys: k, out, found }) => table.lookupSync(k, out, { found }),
  ),
  describeCall(
    'lookupState',
    () => ({ keys: twoKeys(), out: floats(), found: new Uint8Array(1) }),
    ({ table }, { keys: k, out, found }) => table.lookupState(k, { out, found }),
  ),
  describeCall(
    'lookupConcat',
    () => ({ keys: twoKeys(), found: new Uint8Array(1) }),
    ({ store, table }, { keys: k, found }) => store.lookupConcat([[table, k, { found }]]),
  ),
  describeCall(
    'lookupConcatSync',
    () => ({ keys: twoKeys(), found: new Uint8Array(1), out: twoRows() }),
    ({ store, table }, { keys: k, found, out }) =>
      store.lookupConcatSync([[table, k, { found }]], { out }),
  ),
  describeCall(
    'setScores',
    () => ({ keys: twoKeys(), scores: floats(1, 2) }),
    ({ table }, { keys: k, scores }) => table.setScores(k, scores),
  ),
  describeCall(
    'lookupPooled',
    () => ({ ...bags(), out: twoRows() }),
    ({ table }, { keys: k, offsets, weights, out }) =>
      table.lookupPooled(k, offsets, { weights, out }),
  ),
  describeCall(
    'push',
    () => ({ keys: twoKeys(), gradients: twoRows() }),
    ({ table }, { keys: k, gradients }) => table.push(k, gradients),
  ),
  describeCall(
    'pushPooled',
    () => ({ ...bags(), gradients: twoRows() }),
    ({ table }, { keys: k, offsets, weights, gradients }) =>
      table.pushPooled(k, offsets, gradients, { weights }),
  ),
  describeCall(
    'update',
    () => ({ keys: twoKeys(), rows: twoRows() }),
    ({ table }, { keys: k, rows }) => table.update(k, rows),
  ),
  describeCall(
    'erase',
    () => ({ keys: twoKeys() }),
    ({ table }, { keys: k }) => table.erase(k),
  ),
  describeCall(
    'lookupAll',
    () => ({ keys: twoKeys(), out: twoRows() }),
    ({ store, table }, { keys: k, out }) => store.lookupAll([[table, k, out]]),
  ),
  describeCall(
    'pushAll',
    () => ({ keys: twoKeys(), gradients: twoRows() }),
    ({ store, table }, { keys: k, gradients }) => store.pushAll([[table, k, gradients]]),
  ),
  describeCall(
    'pull',
    () => ({ out: filled(6, 0) }),
    ({ dense }, { out }) => dense.pull({ out }),
  ),
  describeCall(
    'dense push',
    () => ({ gradient: filled(6, 1) }),
    ({ dense }, { gradient }) => dense.push(gradient),
  ),
  describeCall(
    'dense update',
    () => ({ values: filled(6, 1) }),
    ({ dense }, { values }) => dense.update(values),
  ),
]

/** Arrays that a call fills. */
const kResults = ['out', 'found']

/** The same values over shared memory. */
function shared(array: Arrays): Arrays {
  const type = array.constructor as new (buffer: SharedArrayBuffer) => Arrays
  const copy = new type(new SharedArrayBuffer(array.byteLength))
  copy.set(array as never)
  return copy
}

for (const { name, arrays, call } of kCalls) {
  test(`${name} refuses detached buffers`, async (fixture) => {
    for (const spoilt of Object.keys(arrays(fixture))) {
      const made = arrays(fixture)
      detach(made[spoilt] as Arrays)
      const message = new RegExp(
        `${spoilt}: expected \\w+Array, received one whose buffer is detached`,
      )
      const refusal: Refusal = { kind: 'TypeError', message }
      await refuses(fixture, () => call(fixture, made as never), refusal)
    }
  })

  test(`${name} refuses memory that other threads may write`, async (fixture) => {
    for (const spoilt of Object.keys(arrays(fixture))) {
      const made = arrays(fixture)
      made[spoilt] = shared(made[spoilt] as Arrays)
      const message = new RegExp(`${spoilt}: expected .* ArrayBuffer, .* SharedArrayBuffer`)
      const refusal: Refusal = { kind: 'TypeError', message }
      await refuses(fixture, () => call(fixture, made as never), refusal)
    }
  })

  test(`${name} has copied its inputs when it returns`, async (fixture) => {
    const twin = await openFixture(kScored)
    const made = arrays(fixture)
    const running = call(fixture, made as never)
    for (const [role, array] of Object.entries(made)) if (!kResults.includes(role)) detach(array)
    await running
    await call(twin, arrays(twin) as never)
    const [mine, theirs] = [await picture(fixture), await picture(twin)]
    assert.equal(mine, theirs)
    await twin.store.close()
  })
}

type IntoOut = (fixture: Fixture, out: Float32Array) => Promise<unknown>

/** Calls into `out`, by name, and the length that it must have. */
const kIntoOut: [string, number, IntoOut][] = [
  ['lookup', 8, ({ table }, out) => table.lookup(twoKeys(), { out })],
  [
    'lookupPooled',
    8,
    ({ table }, out) => table.lookupPooled(twoKeys(), Uint32Array.of(0, 1, 2), { out }),
  ],
  ['lookupAll', 8, ({ store, table }, out) => store.lookupAll([[table, twoKeys(), out]])],
  ['pull', 6, ({ dense }, out) => dense.pull({ out })],
]

for (const [name, length, call] of kIntoOut) {
  test(`${name} rejects when out is detached under way`, async (fixture) => {
    const before = await picture(fixture)
    const out = filled(length, 0)
    const running = call(fixture, out)
    detach(out)
    const message = /^out: expected Float32Array, received one whose buffer is detached/
    assertRefusal(await errorOf(() => running), { kind: 'TypeError', message })
    assert.equal(await picture(fixture), before)
  })
}

/** An array that is as long as its resizable buffer, of `now` to `most` floats. */
function resizable(now: number, most: number): [Float32Array, ResizableBuffer] {
  const buffer = resizableBuffer(now * 4, most * 4)
  return [new Float32Array(buffer), buffer]
}

test('out that shrinks or grows under way rejects and is not written', async (fixture) => {
  for (const length of [0, 1, 7, 9, 16]) {
    const [out, buffer] = resizable(8, 16)
    const refused = errorOf(() => fixture.table.lookup(keys(1, 2), { out }))
    buffer.resize(length * 4)
    const message = new RegExp(`^out: expected 8 values .*, received ${length}$`)
    assertRefusal(await refused, { kind: 'RangeError', message })
    assert.ok(out.every((value) => value === 0))
  }
})

test('a view that falls outside its shrunk buffer rejects', async (fixture) => {
  const buffer = resizableBuffer(64, 64)
  const out = new Float32Array(buffer, 16, 8)
  const refused = errorOf(() => fixture.table.lookup(keys(1, 2), { out }))
  buffer.resize(20)
  assertRefusal(await refused, { kind: 'RangeError', message: /^out: expected 8 .* received 0$/ })
  const late = errorOf(() => fixture.table.lookup(keys(1, 2), { out }))
  assertRefusal(await late, { kind: 'RangeError', message: /^out: expected 8 .* received 0$/ })
})

test('out that shrinks and comes back is filled', async (fixture) => {
  const [out, buffer] = resizable(4, 8)
  const looking = fixture.table.lookup(keys(2), { out })
  buffer.resize(0)
  buffer.resize(16)
  assert.is(await looking, out)
  same(out, fixture.table.lookupSync(keys(2)))
})

test('inputs over resizable buffers are copied before the call returns', async ({ table }) => {
  const buffer = resizableBuffer(16, 32)
  const resized = new BigUint64Array(buffer)
  resized.set([50n, 51n])
  const [gradients, memory] = resizable(8, 8)
  gradients.fill(3)
  const pushing = table.push(resized, gradients)
  buffer.resize(0)
  memory.resize(0)
  await pushing
  await table.erase(keys(1))
  assert.is(await table.erase(keys(50, 51)), 2)
})

test('out of several requests: the one that is detached rejects the call', async (fixture) => {
  const { store, table } = fixture
  const [first, second] = [filled(kDim, 0), filled(kDim, 0)]
  const refused = errorOf(() =>
    store.lookupAll([
      [table, keys(1), first],
      [table, keys(2), second],
    ]),
  )
  detach(second)
  assertRefusal(await refused, { kind: 'TypeError', message: /^out: .* detached$/ })
})

test.run()
