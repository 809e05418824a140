// Guarantee E1 over random calls: a store does what a plain JavaScript Map does. The calls of a run
// are made without awaiting any, on two tables, with a few keys so that they meet; whole numbers
// under `sum` make every answer exact.

import fc from 'fast-check'
import { type Store, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bitsOf } from './support/arrays.ts'
import { open } from './support/open.ts'

const test = suite('model')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kDim = 3

/** A table as a Map: what a key without a row has is zeros. */
class PlainTable {
  readonly rows = new Map<bigint, number[]>()

  row(key: bigint): number[] {
    return this.rows.get(key) ?? new Array<number>(kDim).fill(0)
  }

  lookup(keys: readonly bigint[]): number[] {
    return keys.flatMap((key) => this.row(key))
  }

  pooled(keys: readonly bigint[]): number[] {
    return Array.from({ length: kDim }, (_, d) =>
      keys.reduce((total, key) => total + (this.row(key)[d] ?? 0), 0),
    )
  }

  push(keys: readonly bigint[], value: number): void {
    for (const key of keys) {
      this.rows.set(
        key,
        this.row(key).map((x, d) => x + value + d),
      )
    }
  }

  update(keys: readonly bigint[], value: number): void {
    for (const [i, key] of keys.entries()) this.rows.set(key, rowsOf([key], value + i))
  }

  erase(keys: readonly bigint[]): number {
    return keys.filter((key) => this.rows.delete(key)).length
  }
}

/** One row of value, value + 1, … for each key. */
function rowsOf(keys: readonly bigint[], value: number): number[] {
  return keys.flatMap(() => Array.from({ length: kDim }, (_, d) => value + d))
}

type Verb =
  | 'lookup'
  | 'pooled'
  | 'all'
  | 'push'
  | 'pushPooled'
  | 'pushAll'
  | 'nan'
  | 'update'
  | 'erase'
  | 'rows'
  | 'found'
  | 'concat'
  | 'scan'

interface Step {
  verb: Verb
  which: number
  keys: bigint[]
  value: number
}

interface Both {
  store: Store
  tables: Table[]
  plain: PlainTable[]
}

const asKeys = (keys: readonly bigint[]) => BigUint64Array.from(keys)
const asFloats = (values: readonly number[]) => Float32Array.from(values)
const bagOf = (keys: readonly bigint[]) => Uint32Array.of(0, keys.length)

/** Makes the call on both sides; gives the pending answer and what it must be. */
function perform({ store, tables, plain }: Both, step: Step): [Promise<unknown>, unknown] {
  const { verb, which, keys: k, value } = step
  const table = tables[which] as Table
  const model = plain[which] as PlainTable
  const keys = asKeys(k)
  const rows = asFloats(rowsOf(k, value))
  switch (verb) {
    case 'lookup':
      return [table.lookup(keys).then(Array.from), model.lookup(k)]
    case 'pooled':
      return [table.lookupPooled(keys, bagOf(k)).then(Array.from), model.pooled(k)]
    case 'all': {
      const expected = plain.map((each) => each.lookup(k))
      const found = store.lookupAll(tables.map((each) => [each, keys] as const))
      return [found.then((all) => all.map((each) => Array.from(each))), expected]
    }
    case 'push':
      model.push(k, value)
      return [table.push(keys, rows), undefined]
    case 'pushPooled':
      model.push(k, value)
      return [table.pushPooled(keys, bagOf(k), asFloats(rowsOf([0n], value))), undefined]
    case 'pushAll':
      for (const each of plain) each.push(k, value)
      return [store.pushAll(tables.map((each) => [each, keys, rows] as const)), undefined]
    case 'nan': {
      const last = tables.length - 1
      const bad = (i: number) => (i === last && k.length > 0 ? rows.map(() => Number.NaN) : rows)
      const push = store.pushAll(tables.map((each, i) => [each, keys, bad(i)] as const))
      if (k.length > 0) return [push.catch((error) => error.code), 'ERR_INVALID_ARGUMENT']
      return [push, undefined]
    }
    case 'update':
      model.update(k, value)
      return [table.update(keys, asFloats(k.flatMap((_, i) => rowsOf([0n], value + i)))), undefined]
    case 'erase':
      return [table.erase(keys), model.erase(k)]
    case 'rows':
      return [table.stats().then((stats) => stats.rows), model.rows.size]
    default:
      return performRead({ store, tables, plain }, step)
  }
}

function performRead({ store, tables, plain }: Both, step: Step): [Promise<unknown>, unknown] {
  const { verb, which, keys: k, value } = step
  const table = tables[which] as Table
  const model = plain[which] as PlainTable
  const keys = asKeys(k)
  if (verb === 'found') {
    const found = new Uint8Array(Math.ceil(k.length / 8)).fill(255)
    const expected = k.flatMap((key) => model.rows.get(key) ?? rowsOf([0n], value).fill(value))
    const bits = k.map((key) => model.rows.has(key))
    const looking = table.lookup(keys, { found, missing: value })
    return [looking.then((rows) => [[...rows], bitsOf(found, k.length)]), [expected, bits]]
  }
  if (verb === 'concat') {
    const requests = tables.map((each) => [each, keys, { repeat: 2 }] as const)
    const expected = k.flatMap((key) => {
      const row = plain.flatMap((each) => each.row(key))
      return [...row, ...row]
    })
    return [store.lookupConcat(requests).then(Array.from), expected]
  }
  // So few rows are one page, or none.
  const page = table.scan().next()
  const pairs = page.then(({ value: given }) => {
    return Array.from(given?.keys ?? [], (key, i) => [key, ...rowAt(given?.rows, i)])
  })
  const expected = Array.from(model.rows, ([key, row]) => [key, ...row])
  return [pairs.then((rows) => rows.sort(byKey)), expected.sort(byKey)]
}

const rowAt = (rows: Float32Array | undefined, i: number): number[] => [
  ...(rows?.subarray(i * kDim, (i + 1) * kDim) ?? []),
]
type Pair = readonly (bigint | number)[]
const byKey = ([a]: Pair, [b]: Pair): number => ((a as bigint) < (b as bigint) ? -1 : 1)

const verbs = fc.constantFrom<Verb[]>(
  ...(['lookup', 'lookup', 'pooled', 'all', 'push', 'push', 'pushPooled'] as const),
  ...(['pushAll', 'nan', 'update', 'erase', 'rows', 'found', 'concat', 'scan'] as const),
)
const someKeys = fc.oneof(
  fc.bigInt({ min: 0n, max: 12n }),
  fc.constantFrom(2n ** 63n, 2n ** 64n - 1n, 2n ** 44n),
)
const steps = fc.record({
  verb: verbs,
  which: fc.integer({ min: 0, max: 1 }),
  keys: fc.array(someKeys, { maxLength: 8 }),
  value: fc.integer({ min: -50, max: 50 }),
})

test('random calls have the answers of a Map', async () => {
  const run = fc.asyncProperty(fc.array(steps, { maxLength: 60, size: 'max' }), async (calls) => {
    await using store = await open(':memory:')
    const options = { dim: kDim, optimizer: sum() }
    const tables = [await store.table('a', options), await store.table('b', options)]
    const both = { store, tables, plain: [new PlainTable(), new PlainTable()] }
    const made = calls.map((step) => perform(both, step))
    const answers = await Promise.all(made.map(([answer]) => answer))
    assert.equal(
      answers,
      made.map(([, expected]) => expected),
    )
  })
  await fc.assert(run, { numRuns: 200 * kScale })
})

test.run()
