// Keys of two real advertising logs: every field is a slot, every value a string, and no two
// values of one field meet in 44 bits.

import { keysOf, open, slotKeys, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled } from '../lib/support/arrays.ts'
import { readFields, whyNoData } from './data.ts'

const test = suite('ad logs')

interface Log {
  path: string
  separator: string
  header: boolean
  rows: number
  fields: number
  /** The first categorical field. */
  first: number
  /** Distinct (field, value) pairs of the categorical fields, absent values left out. */
  ids?: number
}

const kCriteo: Log = {
  path: 'ctr_samples/criteo_8k.tsv.zst',
  separator: '\t',
  header: false,
  ...{ rows: 8000, fields: 40, first: 14, ids: 37_088 },
}
const kAvazu: Log = {
  path: 'ctr_samples/avazu_9k.csv.zst',
  separator: ',',
  header: true,
  ...{ rows: 8999, fields: 24, first: 2 },
}

function readLog({ path, separator, header, rows, fields }: Log): string[][] {
  const lines = readFields(path, separator).slice(header ? 1 : 0)
  assert.is(lines.length, rows)
  assert.ok(lines.every((line) => line.length === fields))
  return lines
}

/** The distinct values of one field, absent ones left out. */
function valuesOf(lines: string[][], field: number): string[] {
  return [...new Set(lines.map((line) => line[field] as string))].filter((value) => value !== '')
}

for (const log of [kCriteo, kAvazu]) {
  const why = whyNoData(log.path)
  const run = why === undefined ? test : test.skip

  run(`${log.path}: slot keys tell all ids apart`, () => {
    const lines = readLog(log)
    const seen = new Map<bigint, string>()
    let ids = 0
    for (let field = log.first; field < log.fields; field++) {
      const values = valuesOf(lines, field)
      ids += values.length
      for (const [i, key] of slotKeys(field, values).entries()) {
        const [before, id] = [seen.get(key), `field ${field}: ${values[i]}`]
        assert.is(before, undefined, `${before} and ${id} have one key`)
        assert.is(key >> 44n, BigInt(field))
        seen.set(key, id)
      }
    }
    if (log.ids !== undefined) assert.is(ids, log.ids)
    assert.is(seen.size, ids)
  })

  run(`${log.path}: whole values have keys of their own`, () => {
    const values = [...new Set(readLog(log).flatMap((line) => line.slice(log.first)))]
    assert.is(new Set(keysOf(values)).size, values.length)
  })

  run(`${log.path}: a store counts every id`, async () => {
    const lines = readLog(log)
    await using store = await open(':memory:')
    const table = await store.table('t', { dim: 1, optimizer: sum() })
    const counts = new Map<bigint, number>()
    for (let field = log.first; field < log.fields; field++) {
      const values = lines.map((line) => line[field] as string).filter((value) => value !== '')
      const keys = slotKeys(field, values)
      for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
      await table.push(keys, filled(keys.length, 1))
    }
    assert.is((await table.stats()).rows, counts.size)
    const found = await table.lookup(BigUint64Array.from(counts.keys()))
    assert.equal([...found], [...counts.values()])
  })
}

test.run()
