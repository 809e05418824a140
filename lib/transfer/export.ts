/** Exports: what is written, page by page, whatever the format. */
import { checkBoolean, checkChoice, checkObject, checkSignal } from '../checks.ts'
import type { Dense } from '../dense.ts'
import { rangeError, typeError } from '../errors.ts'
import type { Store } from '../store.ts'
import type { Table } from '../table.ts'
import { exportArrow } from './arrow.ts'
import { notFound } from './files.ts'
import { exportNpy } from './npy.ts'
import { exportSafetensors } from './safetensors.ts'
import type {
  DenseInfo,
  Exporter,
  ExportOptions,
  ExportReport,
  ParameterInfo,
  TableInfo,
} from './types.ts'

const formats = ['safetensors', 'npy', 'arrow']
const fields = ['format', 'tables', 'state', 'signal', 'onProgress']

export function checkPath(value: unknown): string {
  if (typeof value !== 'string') throw typeError('path', 'a string', value)
  if (value === '' || value.includes('\0')) {
    throw rangeError('path', 'a path without zero bytes', value)
  }
  return value
}

/** Names, each once. */
export function checkNames(argument: string, value: unknown): Set<string> | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw typeError(argument, 'an array of names', value)
  }
  return new Set(value)
}

export function checkCallback(argument: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') {
    throw typeError(argument, 'a function', value)
  }
}

/** Rows a page, of about 4 MiB: so many that calls cost nothing beside the copies. */
export function pageRowsOf(valuesPerRow: number): number {
  return Math.min(Math.max(Math.floor(2 ** 20 / valuesPerRow), 16), 2 ** 16)
}

type Handle = { info: TableInfo; table: Table } | { info: DenseInfo; dense: Dense }

async function handleOf(
  store: Store,
  name: string,
  kind: 'table' | 'dense',
  state: boolean,
): Promise<Handle> {
  if (kind === 'dense') {
    const dense = await store.dense(name)
    const { options, shape } = dense
    const stateValues = state ? dense.stateValues : 0
    return { dense, info: { kind, name, shape, stateValues, steps: 0, options } }
  }
  const table = await store.table(name)
  const { options, dim } = table
  const stateValues = state ? table.stateValues : 0
  const { steps } = await table.stats()
  return { table, info: { kind, name, dim, stateValues, steps, options } }
}

async function chosen(store: Store, options: ExportOptions): Promise<Handle[]> {
  const wanted = checkNames('tables', options.tables)
  const all = await store.tables()
  const missing = [...(wanted ?? [])].find((name) => !all.some((each) => each.name === name))
  if (missing !== undefined) throw notFound(`nothing is called '${missing}'`)
  const handles: Handle[] = []
  for (const { name, kind } of all) {
    if (wanted !== undefined && !wanted.has(name)) continue
    handles.push(await handleOf(store, name, kind, options.state ?? true))
  }
  return handles
}

function begin(path: string, options: ExportOptions, infos: ParameterInfo[]): Promise<Exporter> {
  if (options.format === 'safetensors') return exportSafetensors(path, infos)
  return options.format === 'npy' ? exportNpy(path) : exportArrow(path)
}

async function writeTable(
  exporter: Exporter,
  table: Table,
  info: TableInfo,
  { signal, onProgress }: ExportOptions,
): Promise<number> {
  const { name, dim, stateValues } = info
  const totalRows = (await table.stats()).rows
  let rows = 0
  await exporter.begin(info)
  const scan = table.scan({
    rows: pageRowsOf(dim + stateValues),
    state: stateValues > 0,
    ...(signal && { signal }),
  })
  for await (const page of scan) {
    await exporter.page(page)
    rows += page.keys.length
    onProgress?.({ name, rows, totalRows: Math.max(rows, totalRows) })
    signal?.throwIfAborted()
  }
  await exporter.end()
  return rows
}

async function writeAll(
  exporter: Exporter,
  handles: readonly Handle[],
  options: ExportOptions,
): Promise<ExportReport> {
  const report: ExportReport = { format: options.format, tables: [], dense: [], bytes: 0 }
  for (const handle of handles) {
    options.signal?.throwIfAborted()
    const { name, stateValues } = handle.info
    const state = stateValues > 0
    if ('table' in handle) {
      const rows = await writeTable(exporter, handle.table, handle.info, options)
      report.tables.push({ name, rows, state })
    } else {
      const { values, state: its, steps } = await handle.dense.pullState()
      await exporter.dense({ ...handle.info, steps }, values, its)
      report.dense.push({ name, state })
      options.onProgress?.({ name, rows: 1, totalRows: 1 })
    }
  }
  options.signal?.throwIfAborted()
  report.bytes = await exporter.finish()
  return report
}

export function exportStore(
  store: Store,
  path: string,
  options: ExportOptions,
): Promise<ExportReport> {
  checkPath(path)
  checkObject('options', options, fields)
  checkChoice('format', options.format, formats)
  checkNames('tables', options.tables)
  if (options.state !== undefined) checkBoolean('state', options.state)
  checkSignal('signal', options.signal)
  checkCallback('onProgress', options.onProgress)
  return exportChecked(store, path, { ...options })
}

async function exportChecked(
  store: Store,
  path: string,
  options: ExportOptions,
): Promise<ExportReport> {
  options.signal?.throwIfAborted()
  const handles = await chosen(store, options)
  const infos = handles.map(({ info }) => info)
  const exporter = await begin(path, options, infos)
  try {
    return await writeAll(exporter, handles, options)
  } catch (error) {
    await exporter.discard()
    throw error
  }
}
