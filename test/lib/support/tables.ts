// Suites whose tests each have a store of their own, and make tables in it.

import { type Store, sum, type Table, type TableOptions } from 'hotrow'
import { suite, type Test } from 'uvu'
import { open } from './open.ts'

export interface TableContext {
  store: Store
  /** Tables made so far: their names differ. */
  made: number
}

export function tableSuite(name: string): Test<TableContext> {
  const test = suite<TableContext>(name)
  test.before.each(async (context) => {
    context.store = await open(':memory:')
    context.made = 0
  })
  test.after.each(({ store }) => store.close())
  return test
}

/** A new table, of dim 1 and sum unless told otherwise. */
export function newTable(
  context: TableContext,
  options: Partial<TableOptions> = {},
): Promise<Table> {
  const all = { dim: 1, optimizer: sum(), ...options }
  return context.store.table(`table ${context.made++}`, all)
}
