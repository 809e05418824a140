// Checks that a call is refused with the error it should be, and that nothing has changed: a store
// with known content, a picture of all that can be seen of it, and the comparison of two pictures.

import {
  type Dense,
  open,
  type Store,
  StoreError,
  sum,
  type Table,
  type TableOptions,
  uniform,
} from 'hotrow'
import * as assert from 'uvu/assert'
import { keys, kLastKey } from './arrays.ts'

/** A store with one table and one dense parameter in it, of known content. */
export interface Fixture {
  store: Store
  table: Table
  dense: Dense
}

export const kDim = 4
/** Keys with rows, and behind them keys without. */
export const kHeld = keys(1, 2, kLastKey)
export const kMissing = keys(3, 4, 0)

export async function openFixture(options: Partial<TableOptions> = {}): Promise<Fixture> {
  const store = await open(':memory:')
  const initializer = uniform(0.5)
  const table = await store.table('table', { dim: kDim, optimizer: sum(), initializer, ...options })
  await table.push(
    kHeld,
    Float32Array.from({ length: kHeld.length * kDim }, (_, i) => i),
  )
  const dense = await store.dense('dense', { shape: [2, 3], optimizer: sum(), initializer })
  await dense.push(Float32Array.of(1, 2, 3, 4, 5, 6))
  return { store, table, dense }
}

/** All that can be seen of a fixture, except for the counters that reads move. */
export async function picture({ store, table, dense }: Fixture): Promise<unknown> {
  const { lookups, hits, ...stats } = await table.stats()
  const { latency, ...storeStats } = await store.stats()
  assert.ok(latency.lookup.maxNs >= 0)
  assert.ok(lookups >= hits)
  return {
    names: await store.tables(),
    stats,
    store: storeStats,
    held: [...(await table.lookup(kHeld))],
    missing: [...(await table.lookup(kMissing))],
    dense: [...(await dense.pull())],
  }
}

/** What a call threw, or its promise rejected with. */
export async function errorOf(call: () => unknown): Promise<Error & { code?: string }> {
  let result: unknown
  try {
    result = await call()
  } catch (error) {
    assert.instance(error, Error)
    return error as Error & { code?: string }
  }
  throw new Error(`not refused: ${call.toString()} gave ${String(result)}`)
}

/** The code of the StoreError that a promise rejects with; 'none' when it does not. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
  return 'none'
}

/** Code and message of what a promise rejects with; 'nothing' when it does not. */
export async function codeAndMessageOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing'
  } catch (error) {
    assert.ok(error instanceof Error)
    return `${(error as StoreError).code} ${error.message}`
  }
}

/** The kind of an error: as `error.name` says it. */
export type Kind = 'TypeError' | 'RangeError' | 'StoreError'

export interface Refusal {
  kind: Kind
  /** All of the message, or what must be found in it. */
  message: string | RegExp
  /** By default ERR_INVALID_ARGUMENT. */
  code?: string
}

export function assertRefusal(error: Error & { code?: string }, refusal: Refusal): void {
  const { kind, message, code = 'ERR_INVALID_ARGUMENT' } = refusal
  assert.is(`${error.name} ${error.code}`, `${kind} ${code}`, error.message)
  if (typeof message === 'string') assert.is(error.message, message)
  else assert.match(error.message, message)
}

/** The call is refused, at once when it is a TypeError or RangeError, and changes nothing. */
export async function refuses(
  fixture: Fixture,
  call: () => unknown,
  refusal: Refusal,
): Promise<void> {
  const before = await picture(fixture)
  if (refusal.kind === 'StoreError') assertRefusal(await errorOf(call), refusal)
  else assertRefusal(errorAtOnce(call), refusal)
  assert.equal(await picture(fixture), before, `changed by ${call.toString()}`)
}

/** What a call throws before it returns. */
export function errorAtOnce(call: () => unknown): Error & { code?: string } {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    assert.instance(error, Error)
    return error as Error & { code?: string }
  }
  if (result instanceof Promise) result.catch(() => {})
  throw new Error(`did not throw at once: ${call.toString()}`)
}
