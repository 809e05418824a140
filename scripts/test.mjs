// Runs all tests: every test/**/*.test.ts in its own process, then the C++ tests by CTest.
//
//   node scripts/test.mjs [--nightly] [--no-cpp] [FILTER...]
//
// A filter is a part of a test file's path, or a regular expression on C++ test names. Prints the
// output of what failed, and as its last line `N passed, N failed[, N skipped]`. A test that skips
// itself prints a line `skip: why`. Exits with 1 when anything failed or nothing passed.

import { say } from './common/process.mjs'
import { add, closingLine, noTotals } from './common/totals.mjs'
import { runCtest } from './test/ctest.mjs'
import { runTestFile, testFiles } from './test/files.mjs'

/** One more than there are cores at the least: some tests wait more than they work. */
const kAtOnce = 3
const flags = new Set(process.argv.slice(2).filter((arg) => arg.startsWith('--')))
const filters = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const nightly = flags.has('--nightly')
const timeoutMs = Number(process.env.TEST_TIMEOUT_MS ?? (nightly ? 1_800_000 : 120_000))
const env = {
  ...process.env,
  NO_COLOR: '1',
  HOTROW_TEST_SCALE: process.env.HOTROW_TEST_SCALE ?? (nightly ? '10' : '1'),
}

/** Printed after everything else, where a reader of a long log looks first. */
const failures = []

function report(name, { totals, seconds, output, problem }) {
  const verdict = totals.failed > 0 ? 'FAIL' : 'ok  '
  const note = problem ? ` (${problem})` : ''
  const line =
    `${verdict} ${name}: ${totals.passed} of ${totals.passed + totals.failed} in ` +
    `${seconds.toFixed(1)} s${note}`
  console.log(line)
  if (totals.failed > 0) failures.push(`${line}\n${output.replace(/^/gm, '  | ')}`)
}

async function runTypeScript(totals) {
  const chosen = testFiles().filter((file) => {
    return filters.length === 0 || filters.some((filter) => file.includes(filter))
  })
  const queue = chosen.values()
  const work = async () => {
    for (const file of queue) {
      const result = await runTestFile(file, { timeoutMs, env })
      report(file, result)
      for (const [line] of result.output.matchAll(/^skip: .*$/gm)) console.log(`     ${line}`)
      add(totals, result.totals)
    }
  }
  await Promise.all(Array.from({ length: kAtOnce }, work))
}

async function runCpp(totals) {
  const filter = filters.length > 0 ? filters.join('|') : undefined
  const result = await runCtest('build', { filter, timeoutMs, jobs: kAtOnce, env })
  if (filter && result.totals.passed + result.totals.failed === 0) return
  report('C++ tests', result)
  for (const skip of result.skips) console.log(`     skip: ${skip}`)
  add(totals, result.totals)
}

const totals = noTotals()
await runTypeScript(totals)
if (!flags.has('--no-cpp')) await runCpp(totals)
if (totals.passed + totals.failed === 0) say(`no test matches ${filters.join(' ') || 'test/'}`)
if (totals.failed > 0 || totals.passed === 0) process.exitCode = 1
for (const failure of failures) console.log(failure)
console.log(closingLine(totals))
