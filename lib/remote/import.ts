/**
 * A version of some tables into a tier: page by page, several pages at once; readers switch to it
 * when all of it is there.
 */
import { checkBoolean, checkInteger, checkObject, checkSignal } from '../checks.ts'
import { rangeError, typeError } from '../errors.ts'
import type { ScanOptions, ScanPage } from '../pages.ts'
import type { RemoteImport, RemoteImportOptions, RemoteTableShape, VersionedTier } from './tier.ts'
import { checkTier } from './tiered.ts'

/**
 * What can be imported: a `Table`, a table of an older version, or anything else that gives its
 * rows by pages. A key comes once.
 */
export interface ScannableTable {
  readonly name: string
  /** Values per row. */
  readonly dim: number
  /** Its rows, page by page. */
  scan(options?: ScanOptions): AsyncIterable<ScanPage>
  /** Its number of rows, for the tier to choose a layout by. */
  stats?(): Promise<{ readonly rows: number }>
}

/** How far an import is. */
export interface ImportProgress {
  readonly table: string
  /** Rows of this table that are in the tier. */
  readonly tableRows: number
  /** Rows of all tables so far. */
  readonly rows: number
}

/** How a version is imported. */
export interface ImportVersionOptions {
  /** Its number, above 0. It stands for one set of rows: another set gets another. */
  version: number
  /** Pages on their way at once: 1 to 64. By default 4. */
  parallel?: number
  /** Rows a page: 1 to 1,048,576. By default as many as 1 MiB holds. */
  pageRows?: number
  /** Whether readers switch to it when it is complete. By default true. */
  activate?: boolean
  /** Called after each page. What it throws ends the import. */
  onProgress?: (progress: ImportProgress) => void
  /** Ends the import: it rejects with the signal's reason, and what was written is removed. */
  signal?: AbortSignal
}

/** What an import has written. */
export interface ImportSummary {
  readonly version: number
  readonly rows: number
  /** Of rows, keys included. */
  readonly bytes: number
}

const fields = ['version', 'parallel', 'pageRows', 'activate', 'onProgress', 'signal']
const pageBytes = 2 ** 20

interface Plan extends RemoteImportOptions {
  readonly parallel: number
  readonly pageRows: number | undefined
  readonly onProgress: ((progress: ImportProgress) => void) | undefined
}

function checkPlan(options: ImportVersionOptions): Omit<Plan, 'tables'> {
  checkObject('options', options, fields)
  const { version, parallel = 4, pageRows, activate = true, onProgress, signal } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw typeError('onProgress', 'a function', onProgress)
  }
  checkSignal('signal', signal)
  return {
    version: checkInteger('version', version, 1, Number.MAX_SAFE_INTEGER),
    parallel: checkInteger('parallel', parallel, 1, 64),
    pageRows: pageRows === undefined ? undefined : checkInteger('pageRows', pageRows, 1, 1_048_576),
    activate: checkBoolean('activate', activate),
    onProgress,
    signal,
  }
}

function checkTables(tables: readonly ScannableTable[]): void {
  if (!Array.isArray(tables)) throw typeError('tables', 'an array', tables)
  const names = new Set<string>()
  for (const [i, table] of tables.entries()) {
    const { name, dim, scan } = (table ?? {}) as Partial<ScannableTable>
    if (typeof name !== 'string' || typeof scan !== 'function') {
      throw typeError(`tables[${i}]`, 'a table with name, dim and scan', table)
    }
    checkInteger(`tables[${i}].dim`, dim, 1, 8192)
    if (names.has(name)) throw rangeError(`tables[${i}]`, 'tables of different names', name)
    names.add(name)
  }
}

/**
 * Imports tables into a tier as one version. Other versions stay as they are, and readers read
 * theirs until this one is complete and counted; then the tier switches to it, all tables at once,
 * unless another version has become current meanwhile (ERR_CONFLICT: the version is there, and not
 * current).
 *
 * A table that is trained meanwhile is read as `Table.scan` says: for one instant of all tables,
 * import those of a version. An import that rejects removes what it wrote, as far as the tier
 * answers; one that died with its process is replaced by the next of the same number.
 *
 * @param tables - of different names, by which readers ask for them
 */
export function importVersion(
  tables: readonly ScannableTable[],
  tier: VersionedTier,
  options: ImportVersionOptions,
): Promise<ImportSummary> {
  checkTables(tables)
  checkTier('tier', tier, ['beginImport'])
  const plan = checkPlan(options)
  return importAll([...tables], tier, plan)
}

async function importAll(
  tables: readonly ScannableTable[],
  tier: VersionedTier,
  plan: Omit<Plan, 'tables'>,
): Promise<ImportSummary> {
  plan.signal?.throwIfAborted()
  const shapes = await Promise.all(
    tables.map(async (table): Promise<RemoteTableShape> => {
      const rows = (await table.stats?.())?.rows ?? 0
      return { name: table.name, rowBytes: table.dim * 4, rows }
    }),
  )
  const { version, activate, signal } = plan
  const target = await tier.beginImport({ version, activate, signal, tables: shapes })
  try {
    const total = { version, rows: 0, bytes: 0 }
    for (const table of tables) await importTable(table, target, plan, total)
    await target.commit({ signal })
    return total
  } catch (error) {
    // What went wrong first is what the caller is to know.
    await target.abort().catch(() => {})
    throw error
  }
}

type Total = { -readonly [Field in keyof ImportSummary]: ImportSummary[Field] }

async function importTable(
  table: ScannableTable,
  target: RemoteImport,
  plan: Omit<Plan, 'tables'>,
  total: Total,
): Promise<void> {
  const { parallel, signal, onProgress } = plan
  const rowBytes = table.dim * 4
  const rows = plan.pageRows ?? Math.max(1, Math.floor(pageBytes / rowBytes))
  const failing = new AbortController()
  let failure: { readonly error: unknown } | undefined
  let tableRows = 0
  const write = async (page: ScanPage): Promise<void> => {
    const bytes = new Uint8Array(page.rows.buffer, page.rows.byteOffset, page.rows.byteLength)
    await target.setMany(table.name, page.keys, bytes, { signal: failing.signal })
    tableRows += page.keys.length
    total.rows += page.keys.length
    total.bytes += page.keys.byteLength + bytes.length
    onProgress?.({ table: table.name, tableRows, rows: total.rows })
  }
  const writing = new Set<Promise<void>>()
  // The first failure ends the other pages.
  const fail = (error: unknown): void => {
    failure ??= { error }
    failing.abort(error)
  }
  const abort = (): void => fail(signal?.reason)
  signal?.addEventListener('abort', abort)
  try {
    for await (const page of table.scan(signal ? { rows, signal } : { rows })) {
      const written: Promise<void> = write(page)
        .catch(fail)
        .finally(() => writing.delete(written))
      writing.add(written)
      if (writing.size >= parallel) await Promise.race(writing)
      if (failure !== undefined) break
    }
  } catch (error) {
    fail(error)
  } finally {
    // Nothing is written after the import has rejected.
    await Promise.all(writing)
    signal?.removeEventListener('abort', abort)
  }
  if (failure !== undefined) throw failure.error
}
