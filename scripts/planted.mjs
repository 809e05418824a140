// Plants mistakes in the core, one at a time, and expects tests to find each: a test that would
// pass with them tests nothing. In a copy of the tree, in build-planted, which is built once with
// its tests; then each mistake costs the compilation of the files that it is in. By the nightly
// tests. Those of the GPU tier: planted-gpu.mjs.
//
//   node scripts/planted.mjs [WORD]     only those whose promise, name or file contain the word

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** As cheap to compile as can be, and with assertions off: tests must find it. */
async function prepare() {
  rmSync(tree, { recursive: true, force: true })
  for (const part of kParts) {
    mkdirSync(join(tree, part, '..'), { recursive: true })
    cpSync(join(root, part), join(tree, part), { recursive: true, preserveTimestamps: true })
  }
  const options = ['-DHOTROW_TESTS=ON', '-DCMAKE_UNITY_BUILD=ON', '-DCMAKE_BUILD_TYPE=Release']
  options.push('-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG')
  await must('cmake', '-S', tree, '-B', build, '-G', 'Ninja', ...options)
  await compile()
}

const compile = () => must('cmake', '--build', build, '--target', 'hotrow_tests')

async function passes(filter) {
  const command = [join(build, 'hotrow_tests'), [`--gtest_filter=${filter}`]]
  const { code, timedOut } = await run(...command, { env, quiet: true, timeoutMs: kTestTimeoutMs })
  return code === 0 && !timedOut
}

/** Does a test find it? */
async function isFound([promise, name, file, from, to, filter]) {
  const path = join(tree, 'native', file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${promise}, ${name}: ${file} has no \`${from}\``)
  writeFileSync(path, text.replaceAll(from, to))
  try {
    await compile()
    return !(await passes(filter))
  } finally {
    writeFileSync(path, text)
  }
}

const word = process.argv[2] ?? ''
const chosen = kInCore.filter((each) => each.slice(0, 3).join(' ').includes(word))
const totals = { passed: 0, failed: 0, skipped: 0 }
const count = (right, what) => {
  totals[right ? 'passed' : 'failed']++
  say(what)
}
await prepare()
const filters = [...new Set(chosen.map((each) => each.at(-1)))].join(':')
count(await passes(filters), `none: ${filters}`)
for (const mistake of chosen) {
  const found = await isFound(mistake)
  count(found, `${mistake[0]}, ${mistake[1]}: ${found ? 'found' : 'NOT FOUND'}`)
}
console.log(closingLine(totals))
process.exitCode = totals.failed > 0 || chosen.length === 0 ? 1 : 0
