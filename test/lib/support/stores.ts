// Two stores compared, bit by bit.

import type { Dense, Store, Table } from 'hotrow'
import * as assert from 'uvu/assert'

function sameBits(actual: ArrayBufferView, expected: ArrayBufferView, what: string): void {
  const bytes = (array: ArrayBufferView): Buffer =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength)
  assert.is(Buffer.compare(bytes(actual), bytes(expected)), 0, what)
}

async function keysOf(table: Table): Promise<BigUint64Array> {
  const keys: bigint[] = []
  for await (const page of table.scan()) keys.push(...page.keys)
  return BigUint64Array.from(keys.sort((a, b) => (a < b ? -1 : 1)))
}

export async function sameTables(actual: Table, expected: Table): Promise<void> {
  const keys = await keysOf(expected)
  assert.equal([...(await keysOf(actual))], [...keys])
  sameBits(await actual.lookup(keys), await expected.lookup(keys), 'rows')
  sameBits(await actual.lookupState(keys), await expected.lookupState(keys), 'state')
  assert.is((await actual.stats()).steps, (await expected.stats()).steps)
}

async function sameDense(actual: Dense, expected: Dense): Promise<void> {
  const [a, e] = [await actual.pullState(), await expected.pullState()]
  sameBits(a.values, e.values, 'values')
  sameBits(a.state, e.state, 'state')
  assert.is(a.steps, e.steps)
}

/** The same names with the same options, rows, state and steps. */
export async function sameStores(actual: Store, expected: Store): Promise<void> {
  const all = await expected.tables()
  assert.equal(await actual.tables(), all)
  for (const { name, kind } of all) {
    if (kind === 'table') {
      const [a, e] = [await actual.table(name), await expected.table(name)]
      assert.equal(a.options, e.options)
      await sameTables(a, e)
    } else {
      const [a, e] = [await actual.dense(name), await expected.dense(name)]
      assert.equal(a.options, e.options)
      await sameDense(a, e)
    }
  }
}
