// What a table gives page by page, taken whole and checked on the way.

import { setTimeout as sleep } from 'node:timers/promises'
import type { EvictionReason, ScanOptions, Table } from 'hotrow'
import * as assert from 'uvu/assert'

/** Every row of a scan by its key, none of which may come twice. */
export async function scanned(
  table: Table,
  options?: ScanOptions,
): Promise<Map<bigint, Float32Array>> {
  const rows = new Map<bigint, Float32Array>()
  for await (const page of table.scan(options)) {
    assert.is(page.rows.length, page.keys.length * table.dim)
    for (const [i, key] of page.keys.entries()) {
      assert.not(rows.has(key), `key ${key} came twice`)
      rows.set(key, page.rows.subarray(i * table.dim, (i + 1) * table.dim))
    }
  }
  return rows
}

/** All of the log of evicted keys, with a reason each. */
export async function evictions(table: Table, most?: number): Promise<[bigint, EvictionReason][]> {
  const all: [bigint, EvictionReason][] = []
  for await (const { keys, reasons } of table.evicted(most)) {
    assert.is(reasons.length, keys.length)
    for (const [i, key] of keys.entries()) all.push([key, reasons[i] as EvictionReason])
  }
  return all
}

/** Asks again and again until it holds; fails after far longer than it can take. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (!(await holds())) {
    assert.ok(Date.now() < end, `never: ${what}`)
    await sleep(5)
  }
}
