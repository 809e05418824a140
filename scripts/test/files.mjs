// Runs the TypeScript tests, each file in a process of its own, so that a crash or a hang costs
// one file and not the run. uvu knows no timeouts; what counts is in its last lines.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { root, run } from '../common/process.mjs'
import { noTotals } from '../common/totals.mjs'

/** All `*.test.ts` under test/, as paths from the root. */
export function testFiles(folder = 'test') {
  if (!existsSync(join(root, folder))) return []
  const entries = readdirSync(join(root, folder), { recursive: true }).map(String)
  return entries
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name))
    .sort()
}

function parseTotals(output) {
  const last = (name) => [...output.matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)$`, 'gm'))].at(-1)
  const [total, passed, skipped] = ['Total', 'Passed', 'Skipped'].map((name) => last(name)?.[1])
  if (total === undefined || passed === undefined) return undefined
  // uvu's total counts the tests that ran; the skipped ones come on top.
  return {
    passed: Number(passed),
    failed: Number(total) - Number(passed),
    skipped: Number(skipped ?? 0),
  }
}

/** What went wrong beyond failed assertions, or undefined. */
function complaint(result, totals, timeoutMs) {
  if (result.timedOut) return `still running after ${timeoutMs / 1000} s, killed`
  if (result.signal) return `died by ${result.signal}`
  if (totals && totals.passed + totals.failed + totals.skipped === 0) return 'ran no test'
  if (result.code !== 0 && !totals?.failed) return `exited with ${result.code}`
  return totals ? undefined : 'printed no totals: does it end with `.run()`?'
}

/** Runs one test file; resolves to `{ file, totals, seconds, output, problem }`. */
export async function runTestFile(file, { timeoutMs, env }) {
  const args = ['--import', 'tsx', '--expose-gc', file]
  const result = await run(process.execPath, args, { env, quiet: true, timeoutMs })
  const output = stripVTControlCharacters(result.output)
  const parsed = parseTotals(output)
  const totals = parsed ?? noTotals()
  const problem = complaint(result, parsed, timeoutMs)
  if (problem && totals.failed === 0) totals.failed = 1
  return { file, totals, seconds: result.seconds, output, problem }
}
