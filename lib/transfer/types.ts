/**
 * What exports and imports are asked for and say, and the two seams between the glue (export.ts,
 * import.ts) and the formats: an Exporter takes pages of rows, a Source gives them.
 */
import type { DenseOptions, TableOptions } from '../options.ts'
import type { ScanPage } from '../pages.ts'

/** What `store.exportTo` writes. */
export type ExportFormat = 'safetensors' | 'npy' | 'arrow'
/** What `store.importFrom` reads. */
export type ImportFormat = ExportFormat | 'hugectr'

/** How far an export or import has come. */
export interface TransferProgress {
  /** The table or dense parameter under way. */
  name: string
  /** Rows of it that are done; of a dense parameter 1 once it is. */
  rows: number
  /** Rows it has or had at the start, where that is known: 1 for a dense parameter. */
  totalRows: number | undefined
}

interface TransferOptions {
  /** Ends the call between two pages; it rejects with the signal's reason. */
  signal?: AbortSignal
  /** Called after each page. What it throws ends the call. */
  onProgress?: (progress: TransferProgress) => void
}

/** Options of `store.exportTo`. */
export interface ExportOptions extends TransferOptions {
  format: ExportFormat
  /** Tables and dense parameters to write. By default all. */
  tables?: readonly string[]
  /** Write the optimizer's state too. By default true. */
  state?: boolean
}

/** What the tensors of one table are called in a file that says nothing of tables. */
export interface ImportNames {
  /** By default `'keys'`. */
  keys?: string
  /** By default `'rows'`. */
  rows?: string
  /** By default `'state'`. */
  state?: string
}

/** Options of `store.importFrom`. */
export interface ImportOptions extends TransferOptions {
  /** By default told from what lies at the path. */
  format?: ImportFormat
  /**
   * The table that gets the rows of a file with one table, whatever that is called there; needed
   * where the file gives no name.
   */
  table?: string
  /** Tables and dense parameters to take, by their names in the file. By default all. */
  tables?: readonly string[]
  /** How tables are made that the store lacks; by default as the file says. `dim` is the file's. */
  options?: Omit<TableOptions, 'dim'> & { dim?: number }
  names?: ImportNames
  /** Take the optimizer's state where there is one. By default true. */
  state?: boolean
  /**
   * HugeCTR: put each row's `slot_id` into the upper 20 bits of its key, as `slotKey` does. By
   * default false: the file is not read.
   */
  slots?: boolean
}

interface TransferReport {
  /** With the rows of each. */
  tables: { name: string; rows: number; state: boolean }[]
  dense: { name: string; state: boolean }[]
}

/** What an export wrote. */
export interface ExportReport extends TransferReport {
  format: ExportFormat
  bytes: number
}

/** What an import has assigned. */
export interface ImportReport extends TransferReport {
  format: ImportFormat
}

/** An import ended before its end, by `cause`; what `imported` says has been assigned, stays. */
export class ImportInterruptedError extends Error {
  readonly imported: ImportReport
  /** The cause's, or `'ABORT_ERR'`. */
  readonly code: string

  constructor(imported: ImportReport, cause: unknown) {
    const rows = imported.tables.map(({ name, rows }) => `${rows} rows of '${name}'`)
    const all = [...rows, ...imported.dense.map(({ name }) => `'${name}'`)]
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`import interrupted after ${all.join(', ')}: ${why}`, { cause })
    this.imported = imported
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    this.code = typeof code === 'string' ? code : 'ABORT_ERR'
  }

  override get name(): string {
    return 'ImportInterruptedError'
  }
}

/** A table as a format sees it. */
export interface TableInfo {
  kind: 'table'
  name: string
  dim: number
  /** Values of state a row; 0: none, or not asked for. */
  stateValues: number
  /** Pushes that the rows have seen. */
  steps: number
  options: TableOptions
}

export interface DenseInfo {
  kind: 'dense'
  name: string
  shape: readonly number[]
  /** As for tables, of the whole parameter. */
  stateValues: number
  steps: number
  options: DenseOptions
}

export type ParameterInfo = TableInfo | DenseInfo

/** Writes one export; calls follow each other. Of each parameter there is one begin and one end. */
export interface Exporter {
  begin(info: TableInfo): Promise<void>
  page(page: ScanPage): Promise<void>
  end(): Promise<void>
  dense(info: DenseInfo, values: Float32Array, state: Float32Array): Promise<void>
  /** Gives everything its place; resolves with the bytes written. */
  finish(): Promise<number>
  /** Removes all that was written; never fails. */
  discard(): Promise<void>
}

/** One table that a file holds; its headers have been found right. */
export interface SourceTable {
  kind: 'table'
  /** Undefined where the file gives none. */
  name: string | undefined
  dim: number
  rows: number | undefined
  /** 0: there is no state. */
  stateValues: number
  steps: number
  /** As the table that was exported had them. */
  options: TableOptions | undefined
  /** For messages: the file and where in it. */
  where: string
  pages(rows: number, state: boolean): AsyncIterable<ScanPage>
}

export interface SourceDense {
  kind: 'dense'
  name: string
  shape: readonly number[]
  stateValues: number
  steps: number
  options: DenseOptions | undefined
  where: string
  read(): Promise<{ values: Float32Array; state: Float32Array | undefined }>
}

/** An opened file or folder. */
export interface Source {
  parameters: (SourceTable | SourceDense)[]
  close(): Promise<void>
}
