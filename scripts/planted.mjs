// Plants mistakes in the core, one at a time, and expects tests to find each: a test that would
// pass with them tests nothing. In a copy of the tree, in build-planted, which is built once with
// its tests; then each mistake costs the compilation of the files that it is in. By the nightly
// tests. Those of the GPU tier: planted-gpu.mjs.
//
//   node scripts/planted.mjs [WORD]     only those whose promise, name or file contain the word

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { cleanEnvironment, root, run, say } from './common/process.mjs'
import { closingLine } from './common/totals.mjs'
import { kInCore } from './planted/core-mistakes.mjs'

const kParts = ['CMakeLists.txt', 'native', 'cuda', 'test/native', 'examples/cpp']
const kTestTimeoutMs = 300_000
const folder = join(root, 'build-planted')
const tree = join(folder, 'tree')
const build = join(folder, 'build')
const env = { ...cleanEnvironment(), CMAKE_BUILD_PARALLEL_LEVEL: '2' }

async function must(command, ...args) {
  const result = await run(command, args, { env, quiet: true })
  if (result.code !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.output}`)
}

/** What is as it was keeps its time: nothing is compiled for it. */
function copyChanged(from, to) {
  if (statSync(from).isDirectory()) {
    mkdirSync(to, { recursive: true })
    const names = readdirSync(from)
    for (const name of readdirSync(to))
      if (!names.includes(name)) rmSync(join(to, name), { recursive: true })
    for (const name of names) copyChanged(join(from, name), join(to, name))
    return
  }
  const bytes = readFileSync(from)
  if (existsSync(to) && readFileSync(to).equals(bytes)) return
  mkdirSync(dirname(to), { recursive: true })
  writeFileSync(to, bytes)
}

/** As cheap to compile as can be, and with assertions off: tests must find it. */
async function prepare() {
  for (const part of kParts) copyChanged(join(root, part), join(tree, part))
  const options = ['-DHOTROW_TESTS=ON', '-DCMAKE_UNITY_BUILD=ON', '-DCMAKE_BUILD_TYPE=Release']
  options.push('-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG')
  await must('cmake', '-S', tree, '-B', build, '-G', 'Ninja', ...options)
  await compile()
}

const compile = () => must('cmake', '--build', build, '--target', 'hotrow_tests')

/** What became of some tests: `passed`, `failed`, `skipped`, or that they took too long. */
async function outcome(filter) {
  const command = [join(build, 'hotrow_tests'), [`--gtest_filter=${filter}`]]
  const result = await run(...command, { env, quiet: true, timeoutMs: kTestTimeoutMs })
  if (result.timedOut) return `still running after ${kTestTimeoutMs / 1000} s`
  if (result.code !== 0) return 'failed'
  return /^\[ {2}PASSED {2}\] [1-9]/m.test(result.output) ? 'passed' : 'skipped'
}

/** The code changes: what is not there any more cannot be planted. Asked before all of the work. */
function checkIsThere([promise, name, file, from]) {
  const text = readFileSync(join(root, 'native', file), 'utf8')
  if (!text.includes(from)) throw new Error(`${promise}, ${name}: ${file} has no \`${from}\``)
}

/** What becomes of its tests. */
async function planted([, , file, from, to, filter]) {
  const path = join(tree, 'native', file)
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replaceAll(from, to))
  try {
    await compile()
    return await outcome(filter)
  } catch (error) {
    return `it cannot be compiled: ${error.message.slice(0, 1000)}`
  } finally {
    writeFileSync(path, text)
  }
}

const word = process.argv[2] ?? ''
const chosen = kInCore.filter((each) => each.slice(0, 3).join(' ').includes(word))
const totals = { passed: 0, failed: 0, skipped: 0 }
const count = (kind, what) => {
  totals[kind]++
  say(what)
}
for (const mistake of chosen) checkIsThere(mistake)
await prepare()
const useful = new Set()
for (const filter of new Set(chosen.map((each) => each.at(-1)))) {
  const without = await outcome(filter)
  if (without === 'passed') useful.add(filter)
  else
    count(without === 'skipped' ? 'skipped' : 'failed', `without a mistake, ${filter}: ${without}`)
}
for (const mistake of chosen.filter((each) => useful.has(each.at(-1)))) {
  const found = await planted(mistake)
  const name = `${mistake[0]}, ${mistake[1]}`
  count(
    found === 'failed' ? 'passed' : 'failed',
    `${name}: ${found === 'failed' ? 'found' : found}`,
  )
}
console.log(closingLine(totals))
process.exitCode = totals.failed > 0 || chosen.length === 0 ? 1 : 0
