// Results for programs to read: one JSON file a run, the same form for every example.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'

export interface Result {
  readonly name: string
  readonly params: Readonly<Record<string, string | number>>
  /** null when the figure could not be taken; `reason` says why. */
  readonly value: number | null
  readonly reason?: string
  readonly unit: string
  /** Against each peer, limit or requirement: 1 is par, higher is better. */
  readonly ratios: Readonly<Record<string, number>>
}

/** Writes results with the machine and the commit they were taken on. */
export function writeResults(path: string, results: readonly Result[]): void {
  const report = { commit: commit(), machine: machine(), results }
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`)
}

/** The machine in a few words. */
export function machine(): string {
  const gib = Math.round(totalmem() / 2 ** 30)
  const [cpu] = cpus()
  const cores = `${cpus().length} × ${cpu?.model.trim() ?? arch()}`
  return `${cores}, ${gib} GiB, ${platform()} ${arch()}, Node ${process.versions.node}`
}

/** The commit this file belongs to; null outside a clone. */
function commit(): string | null {
  try {
    const options = { cwd: import.meta.dirname, stdio: 'pipe', encoding: 'utf8' } as const
    return execFileSync('git', ['rev-parse', 'HEAD'], options).trim()
  } catch {
    return null
  }
}
