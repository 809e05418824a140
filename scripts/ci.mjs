// The checks of .ci/run: `npm test`, then one step after the other. Each step is timed and counts
// as one check on top of the tests; a step that cannot run here is skipped with a reason. The last
// line is `N passed, N failed[, N skipped]`.
//
//   node scripts/ci.mjs [STEP...]     only the steps whose names contain one of the words

import { analysisSteps } from './ci/analysis.mjs'
import { gpuSteps } from './ci/gpu.mjs'
import { packageSteps } from './ci/package.mjs'
import { rdmaSteps } from './ci/rdma.mjs'
import { sanitizerSteps } from './ci/sanitizers.mjs'
import { run, say } from './common/process.mjs'
import { add, closingLine, noTotals, parseClosingLine } from './common/totals.mjs'

/** Lines of a step's output that are worth printing: its end. */
const kShownLines = 300
/** And once more at the end of everything, where a reader of a long log looks first. */
const kRepeatedLines = 60
const wanted = process.argv.slice(2)
const totals = noTotals()

const failures = []

function show(output, most = kShownLines) {
  const lines = output.trimEnd().split('\n').slice(-most)
  console.log(lines.map((line) => `  | ${line}`).join('\n'))
}

/** The tests, and with them the bootstrap that every later step builds on. */
async function tests() {
  console.log('== npm test')
  const { code, output, seconds } = await run('npm', ['test'], { quiet: true })
  const counted = parseClosingLine(output) ?? { passed: 0, failed: 1, skipped: 0 }
  if (code !== 0 && counted.failed === 0) counted.failed = 1
  add(totals, counted)
  // Without the closing line, so that a reader finds only ours.
  const shown = output.replace(/^\d+ passed, \d+ failed.*$/gm, '')
  show(shown)
  if (counted.failed > 0) failures.push({ name: 'npm test', output: shown })
  console.log(`== npm test: ${counted.failed > 0 ? 'FAILED' : 'ok'} in ${seconds.toFixed(0)} s`)
}

async function perform({ name, work }) {
  console.log(`== ${name}`)
  const started = performance.now()
  const result = await work().catch((error) => ({ code: 1, output: error.stack }))
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  if (result.skip) {
    totals.skipped++
    console.log(`== ${name}: skipped, ${result.skip}`)
    return
  }
  const failed = result.code !== 0
  totals[failed ? 'failed' : 'passed']++
  if (failed) {
    show(result.output)
    failures.push({ name, output: result.output })
  }
  console.log(`== ${name}: ${failed ? 'FAILED' : 'ok'} in ${seconds} s ${result.note ?? ''}`)
}

const chosen = (name) => wanted.length === 0 || wanted.some((word) => name.includes(word))
const started = performance.now()
if (chosen('npm test')) await tests()
const steps = [analysisSteps, packageSteps, gpuSteps, rdmaSteps, sanitizerSteps].flat()
for (const step of steps) {
  if (chosen(step.name)) await perform(step)
}
for (const { name, output } of failures) {
  console.log(`== the end of what failed: ${name}`)
  show(output, kRepeatedLines)
}
const minutes = (performance.now() - started) / 60_000
if (totals.passed + totals.failed === 0) say(`no step matches ${wanted.join(' ')}`)
console.log(`== all steps took ${minutes.toFixed(1)} min`)
if (totals.failed > 0 || totals.passed === 0) process.exitCode = 1
console.log(closingLine(totals))
