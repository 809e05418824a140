/**
 * Imports: what a source holds, found fit, and then assigned page by page, whatever the format.
 *
 * First every header and every shape is checked and the tables that the store lacks are made; they
 * are dropped again when another one does not fit. Only then is anything assigned.
 */
import { checkBoolean, checkChoice, checkName, checkObject, checkSignal } from '../checks.ts'
import { completeTableOptions } from '../complete.ts'
import type { Dense } from '../dense.ts'
import type { TableOptions } from '../options.ts'
import type { Store } from '../store.ts'
import type { Table } from '../table.ts'
import { openArrow } from './arrow-read.ts'
import { checkCallback, checkNames, checkPath, pageRowsOf } from './export.ts'
import { conflict, malformed, notFound } from './files.ts'
import { openHugectr } from './hugectr.ts'
import { openNpy } from './npy.ts'
import { openSafetensors } from './safetensors.ts'
import { formatOf } from './sniff.ts'
import {
  type ImportFormat,
  ImportInterruptedError,
  type ImportOptions,
  type ImportReport,
  type Source,
  type SourceDense,
  type SourceTable,
} from './types.ts'

const formats = ['safetensors', 'npy', 'arrow', 'hugectr']
const fields = [
  'format',
  'table',
  'tables',
  'options',
  'names',
  'state',
  'slots',
  'signal',
  'onProgress',
]

function openSource(path: string, format: ImportFormat, options: ImportOptions): Promise<Source> {
  const { names = {} } = options
  if (format === 'safetensors') return openSafetensors(path, names)
  if (format === 'npy') return openNpy(path, names)
  return format === 'arrow' ? openArrow(path, names) : openHugectr(path, options.slots ?? false)
}

/** What is to be taken of a source, under the names that it gets. */
function chosen(path: string, source: Source, options: ImportOptions) {
  const wanted = checkNames('tables', options.tables)
  const all = source.parameters
  const missing = [...(wanted ?? [])].find((name) => !all.some((each) => each.name === name))
  if (missing !== undefined) throw notFound(`${path}: has nothing called '${missing}'`)
  const taken = all.filter(({ name }) => wanted === undefined || wanted.has(name ?? ''))
  const tables = taken.filter((each) => each.kind === 'table')
  if (options.table !== undefined && tables.length !== 1) {
    throw conflict(
      `${path}: option table names one table, the file has ${tables.length}: choose by tables`,
    )
  }
  const named = taken.map((part) => {
    const name = (part.kind === 'table' ? options.table : undefined) ?? part.name
    if (name !== undefined) return { name: nameOf(part.where, name), part }
    throw malformed(part.where, 'gives the table no name: say it by option table')
  })
  const twice = named.find(({ name }, i) => named.findIndex((each) => each.name === name) < i)
  if (twice === undefined) return named
  throw malformed(twice.part.where, `has '${twice.name}' twice`)
}

function nameOf(where: string, name: string): string {
  try {
    return checkName(name)
  } catch (error) {
    throw malformed(where, (error as Error).message)
  }
}

interface TableTarget {
  name: string
  table: Table
  part: SourceTable
  /** Whether the state is taken too, which may be none, and the pushes that made it. */
  state: boolean
}

interface DenseTarget {
  name: string
  dense: Dense
  part: SourceDense
  state: boolean
}

type Target = TableTarget | DenseTarget

/** Opens or makes what the parts go to; `made` gets the names of what was made. */
class Targets {
  readonly #store: Store
  readonly #options: ImportOptions
  readonly #made: string[] = []

  constructor(store: Store, options: ImportOptions) {
    this.#store = store
    this.#options = options
  }

  async open(parts: readonly { name: string; part: SourceTable | SourceDense }[]) {
    const there = new Map((await this.#store.tables()).map((each) => [each.name, each]))
    // What can be said without making anything.
    for (const { name, part } of parts) {
      const its = there.get(name)
      const shape = part.kind === 'table' ? [part.dim] : part.shape
      if (its === undefined) continue
      if (its.kind !== part.kind) {
        throw conflict(`${part.where}: '${name}' of the store is not a ${wordOf(part.kind)}`)
      }
      if (shape.join() !== its.shape.join()) {
        const word = part.kind === 'table' ? 'dim' : 'shape'
        throw conflict(
          `${part.where}: has ${word} ${shape}, ${wordOf(part.kind)} '${name}' has ${its.shape}`,
        )
      }
    }
    const targets: Target[] = []
    for (const { name, part } of parts) {
      if (!there.has(name)) this.#made.push(name)
      targets.push(await this.#target(name, part, there.has(name)))
    }
    return targets
  }

  async #target(name: string, part: SourceTable | SourceDense, there: boolean): Promise<Target> {
    const wants = this.#options.state ?? true
    const fits = ({ stateValues }: Table | Dense): boolean => {
      if (!wants) return false
      if (stateValues === part.stateValues) return true
      if (part.stateValues === 0) return false
      throw conflict(
        `${part.where}: has ${part.stateValues} values of state, '${name}' has ${stateValues}: ` +
          'its optimizer is another; option state: false leaves the state out',
      )
    }
    if (part.kind === 'dense') {
      const options = { ...part.options, shape: part.shape }
      const dense = await this.#making(part, () =>
        there ? this.#store.dense(name) : this.#store.dense(name, options),
      )
      return { name, dense, part, state: fits(dense) }
    }
    const options = this.#tableOptions(part)
    const table = await this.#making(part, () =>
      there ? this.#store.table(name) : this.#store.table(name, options),
    )
    return { name, table, part, state: fits(table) }
  }

  #tableOptions(part: SourceTable): TableOptions {
    const { options } = this.#options
    if (options?.dim !== undefined && options.dim !== part.dim) {
      throw conflict(`${part.where}: has dim ${part.dim}, options.dim is ${options.dim}`)
    }
    return { ...(options ?? part.options), dim: part.dim }
  }

  /** work(); options that a file brings are not the caller's arguments. */
  async #making<T>(part: SourceTable | SourceDense, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const wrong = error instanceof TypeError || error instanceof RangeError
      if (!wrong || (part.kind === 'table' && this.#options.options !== undefined)) throw error
      throw malformed(part.where, `its options or shape: ${error.message}`)
    }
  }

  /** Drops what was made. */
  async undo(): Promise<void> {
    for (const name of this.#made) await this.#store.drop(name).catch(() => {})
  }
}

function wordOf(kind: 'table' | 'dense'): string {
  return kind === 'table' ? 'table' : 'dense parameter'
}

async function fillTable(
  { name, table, part, state }: TableTarget,
  { signal, onProgress }: ImportOptions,
  done: ImportReport,
): Promise<void> {
  const entry = { name, rows: 0, state: state && part.stateValues > 0 }
  const pageRows = pageRowsOf(part.dim + part.stateValues)
  const steps = state ? part.steps : 0
  for await (const page of part.pages(pageRows, state)) {
    signal?.throwIfAborted()
    if (page.keys.length === 0) continue
    await table.update(page.keys, page.rows, page.state ? { state: page.state, steps } : { steps })
    if (entry.rows === 0) done.tables.push(entry)
    entry.rows += page.keys.length
    onProgress?.({ name, rows: entry.rows, totalRows: part.rows })
  }
  if (entry.rows > 0) return
  // A table without rows may have seen pushes.
  await table.update(new BigUint64Array(0), new Float32Array(0), { steps })
  done.tables.push(entry)
}

async function fillDense(
  { name, dense, part, state: takes }: DenseTarget,
  { onProgress }: ImportOptions,
  done: ImportReport,
): Promise<void> {
  const { values, state } = await part.read()
  const steps = takes ? part.steps : 0
  await dense.update(values, takes && state !== undefined ? { state, steps } : { steps })
  done.dense.push({ name, state: takes && state !== undefined })
  onProgress?.({ name, rows: 1, totalRows: 1 })
}

/** Makes room at once where that is sure to be needed, before anything is assigned. */
async function reserveRooms(targets: readonly Target[]): Promise<void> {
  for (const target of targets) {
    if (!('table' in target) || target.part.rows === undefined) continue
    if (target.table.options.eviction !== undefined) continue
    // Which of its keys are new to a table that has rows is not known.
    if ((await target.table.stats()).rows > 0) continue
    await target.table.reserve(target.part.rows)
  }
}

async function fill(
  targets: readonly Target[],
  options: ImportOptions,
  done: ImportReport,
): Promise<ImportReport> {
  try {
    for (const target of targets) {
      options.signal?.throwIfAborted()
      if ('table' in target) await fillTable(target, options, done)
      else await fillDense(target, options, done)
    }
    return done
  } catch (error) {
    if (done.dense.length === 0 && done.tables.every(({ rows }) => rows === 0)) throw error
    throw new ImportInterruptedError(done, error)
  }
}

export function importStore(
  store: Store,
  path: string,
  options: ImportOptions = {},
): Promise<ImportReport> {
  checkPath(path)
  checkObject('options', options, fields)
  if (options.format !== undefined) checkChoice('format', options.format, formats)
  if (options.table !== undefined) checkName(options.table)
  checkNames('tables', options.tables)
  // Whether or not a table is made by them.
  if (options.options !== undefined) completeTableOptions({ dim: 1, ...options.options })
  if (options.names !== undefined) checkObject('names', options.names, ['keys', 'rows', 'state'])
  if (options.state !== undefined) checkBoolean('state', options.state)
  if (options.slots !== undefined) checkBoolean('slots', options.slots)
  checkSignal('signal', options.signal)
  checkCallback('onProgress', options.onProgress)
  return importChecked(store, path, { ...options })
}

async function importChecked(
  store: Store,
  path: string,
  options: ImportOptions,
): Promise<ImportReport> {
  options.signal?.throwIfAborted()
  const format = options.format ?? (await formatOf(path))
  const source = await openSource(path, format, options)
  const targets = new Targets(store, options)
  const done: ImportReport = { format, tables: [], dense: [] }
  try {
    let opened: Target[]
    try {
      opened = await targets.open(chosen(path, source, options))
      await reserveRooms(opened)
    } catch (error) {
      await targets.undo()
      throw error
    }
    return await fill(opened, options, done)
  } finally {
    await source.close()
  }
}
