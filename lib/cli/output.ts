/** What a command shows: results on stdout, for people or as JSON, and progress on a terminal. */
import type { TransferProgress } from '../transfer/types.ts'

const redrawMs = 100
const barWidth = 24

/** Rows as aligned columns; numbers to the right. */
export function columns(header: readonly string[], rows: readonly (string | number)[][]): string {
  const texts = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? grouped(cell) : cell)),
  )
  const widths = header.map((title, i) =>
    Math.max(title.length, ...texts.map((row) => row[i]!.length)),
  )
  const right = header.map((_, i) => rows.length > 0 && typeof rows[0]![i] === 'number')
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [line(header), ...texts.map(line)].join('\n')
}

/** 1234567 as 1,234,567. */
export function grouped(value: number): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',')
}

/** JSON, in which 64-bit integers are decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, each: unknown) => (typeof each === 'bigint' ? each.toString() : each),
    2,
  )
}

export class Output {
  readonly json: boolean
  readonly #terminal: boolean
  #drawnMs = 0
  #drawn = false

  constructor(json: boolean) {
    this.json = json
    this.#terminal = process.stderr.isTTY === true
  }

  /** The command's result: `value` with --json, else what `people` says. */
  result(value: unknown, people: () => string): void {
    this.clear()
    process.stdout.write(`${this.json ? toJson(value) : people()}\n`)
  }

  /** Draws how far long work has come; nothing where stderr is no terminal. */
  progress({ name, rows, totalRows }: TransferProgress): void {
    const now = Date.now()
    if (!this.#terminal || now - this.#drawnMs < redrawMs) return
    this.#drawnMs = now
    this.#drawn = true
    const share = totalRows === undefined || totalRows === 0 ? undefined : rows / totalRows
    const filled = Math.round((share ?? 0) * barWidth)
    const bar = share === undefined ? '' : ` [${'#'.repeat(filled).padEnd(barWidth)}]`
    const of = totalRows === undefined ? '' : ` of ${grouped(totalRows)}`
    process.stderr.write(`\r\x1b[K${name}${bar} ${grouped(rows)}${of} rows`)
  }

  /** Takes the progress away. */
  clear(): void {
    if (this.#drawn) process.stderr.write('\r\x1b[K')
    this.#drawn = false
  }

  error(message: string, code: string | undefined): void {
    this.clear()
    const text = this.json
      ? toJson({ error: { code: code ?? null, message } })
      : `hotrow: ${message}`
    process.stderr.write(`${text}\n`)
  }
}
