// A progress bar on standard error: redrawn in place on a terminal, else a line now and then.

const LABEL_WIDTH = 18
const BAR_WIDTH = 24
const QUIET_MS = 5000

export class ProgressBar {
  readonly #label: string
  readonly #total: number
  readonly #live = process.stderr.isTTY === true && process.env['CI'] === undefined
  #printed = performance.now()

  /** @param total what counts as done */
  constructor(label: string, total: number) {
    this.#label = label.padEnd(LABEL_WIDTH)
    this.#total = total
  }

  /** @param note what to say beside the bar */
  update(done: number, note = ''): void {
    const finished = done >= this.#total
    if (this.#live) {
      // A line that wraps could not be redrawn in place, so the bar takes what the words leave.
      const columns = (process.stderr.columns || 80) - 1
      const words = `${this.#label} ${this.#percent(done)}  ${note}`
      const width = Math.max(0, Math.min(BAR_WIDTH, columns - words.length - 1))
      const full = Math.round((done / this.#total) * width)
      const bar = '█'.repeat(full) + '░'.repeat(width - full)
      const line = `${this.#label} ${bar} ${this.#percent(done)}  ${note}`.slice(0, columns)
      process.stderr.write(`\r${line}\x1b[K${finished ? '\n' : ''}`)
    } else if (finished || performance.now() - this.#printed > QUIET_MS) {
      this.#printed = performance.now()
      process.stderr.write(`${this.#label} ${this.#percent(done)}  ${note}\n`)
    }
  }

  #percent(done: number): string {
    return `${Math.floor((done / this.#total) * 100)} %`.padStart(5)
  }
}
