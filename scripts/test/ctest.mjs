// Runs the C++ tests of one build folder by CTest and reads its JUnit report: totals, and the
// reason of each skipped test, which CTest itself does not print.

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from '../common/process.mjs'
import { noTotals } from '../common/totals.mjs'

const unescapeXml = (text) =>
  text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => {
    return { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }[name]
  })

/**
 * [{ name, status: 'run' | 'fail' | 'notrun' | 'disabled', output }] of a JUnit file that CTest
 * wrote.
 */
export function parseJunit(xml) {
  const cases = xml.matchAll(
    /<testcase name="([^"]*)"[^>]*status="(\w+)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs,
  )
  return [...cases].map(([, name, status, body = '']) => ({
    name: unescapeXml(name),
    status,
    output: unescapeXml(/<system-out>(.*?)<\/system-out>/s.exec(body)?.[1] ?? ''),
  }))
}

/** The text that GoogleTest prints for `GTEST_SKIP() << text`. */
export function skipReason(output) {
  const found = /: Skipped\n(.*?)\n*\[ {2}SKIPPED \]/s.exec(output)
  return found?.[1]?.trim().replaceAll('\n', ' ') || 'no reason given'
}

/**
 * Runs `ctest` in `folder`, `filter` being a regular expression on test names and `prefix` a
 * command that starts it. Resolves to `{ totals, seconds, output, skips }`; a run that failed
 * without a failed test in its report counts one failure.
 */
export async function runCtest(folder, options) {
  const { filter, timeoutMs, jobs = 2, env = process.env, prefix = [] } = options
  const report = join(root, folder, 'junit.xml')
  rmSync(report, { force: true })
  const [command, ...args] = [...prefix, 'ctest', '--test-dir', folder, '--output-on-failure']
  args.push(
    '--parallel',
    String(jobs),
    '--timeout',
    String(timeoutMs / 1000),
    '--output-junit',
    report,
  )
  args.push(`--no-tests=${filter ? 'ignore' : 'error'}`, ...(filter ? ['-R', filter] : []))
  const { code, output, seconds } = await run(command, args, { env, quiet: true })
  const cases = existsSync(report) ? parseJunit(readFileSync(report, 'utf8')) : []
  const totals = noTotals()
  const skips = []
  for (const { name, status, output: text } of cases) {
    // What a test starts as another process; not a test of its own.
    if (status === 'disabled') continue
    if (status === 'run') totals.passed++
    else if (status === 'notrun' && text.includes('[  SKIPPED ]')) totals.skipped++
    else totals.failed++
    if (text.includes('[  SKIPPED ]')) skips.push(`${name}: ${skipReason(text)}`)
  }
  if (code !== 0 && totals.failed === 0) totals.failed = 1
  return { totals, seconds, output, skips }
}
