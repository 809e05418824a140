// Runs a GoogleTest program as a few processes side by side, each with its share of the tests.
// Under a sanitizer a process takes longer to start than most tests to run, so CTest's one process
// for each test would be the larger part.

import { spawnSync } from 'node:child_process'
import { run } from '../common/process.mjs'
import { noTotals } from '../common/totals.mjs'
import { skipReason } from './ctest.mjs'

/**
 * LeakSanitizer's tracer crashes now and then at the end of a process that has used UCX, before it
 * has looked for leaks: a process whose tests had passed runs once more, and what it says counts.
 */
async function runTraced(program, args, options) {
  const its = await run(program, args, options)
  const crashed = /^==\d+==LeakSanitizer has encountered a fatal error/m.test(its.output)
  const passed = /^\[ {2}PASSED {2}\] /m.test(its.output) && !its.output.includes('[  FAILED  ]')
  return crashed && passed ? run(program, args, options) : its
}

/** The names of a program's tests; `command` starts it, with a filter or without. */
export function testNames([program, ...args], options = {}) {
  const listing = [...args, '--gtest_list_tests']
  const { stdout } = spawnSync(program, listing, { encoding: 'utf8', ...options })
  let suite = ''
  const names = []
  for (const line of stdout.split('\n')) {
    const [name] = line.trim().split(/\s+#/)
    if (line.startsWith('  ')) names.push(suite + name)
    else suite = name
  }
  return names
}

const count = (output, pattern) => [...output.matchAll(pattern)].length

/**
 * `command` starts the program. Resolves to `{ totals, output, skips }`; a process that ended badly
 * without naming a failed test counts one failure.
 */
export async function runGtest(command, { timeoutMs, env, shards = 3 }) {
  const [program, ...args] = command
  const runs = Array.from({ length: shards }, (_, index) => {
    const share = { GTEST_TOTAL_SHARDS: String(shards), GTEST_SHARD_INDEX: String(index) }
    const options = { env: { ...env, ...share }, quiet: true, timeoutMs }
    return runTraced(program, args, options)
  })
  const totals = noTotals()
  const skips = []
  let shown = ''
  // What ended badly is shown last, where a long output is not cut.
  const ended = (await Promise.all(runs)).sort(
    (a, b) => (a.code === 0 ? 0 : 1) - (b.code === 0 ? 0 : 1),
  )
  for (const { code, output, timedOut } of ended) {
    const failed = count(output, /^\[ {2}FAILED {2}\] .+ \(\d+ ms\)$/gm)
    totals.passed += count(output, /^\[ {7}OK \] /gm)
    for (const [text, name] of output.matchAll(
      /^\[ RUN {6}\] (\S+)\n(?:(?!\[).*\n)*\[ {2}SKIPPED \] /gm,
    )) {
      totals.skipped++
      skips.push(`${name}: ${skipReason(text)}`)
    }
    totals.failed += failed === 0 && code !== 0 ? 1 : failed
    // Passing tests say nothing that is worth reading beside those that failed.
    shown += output.replaceAll(/^\[(?: RUN {6}| {7}OK) \].*\n/gm, '')
    if (timedOut) shown += '\nran too long\n'
  }
  return { totals, output: shown, skips }
}
