// The build steps: the addon (with the C++ tests when asked) and the benchmark of the table by
// cmake-js, and dist/ by tsc.
// All are incremental; the caller holds the bootstrap lock.

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { compilerCache } from '../common/compiler-cache.mjs'
import { cleanEnvironment, Fatal, root, run, say } from '../common/process.mjs'
import { digests, forgetAll, stamp, upToDate } from './inputs.mjs'

const kCmakeJs = join(root, 'node_modules/cmake-js/bin/cmake-js')
const kTsc = join(root, 'node_modules/typescript/bin/tsc')

/** A compiler's complaint about our own source: building again from clean would not help. */
const kOwnError = /(?:native|bindings|cuda|test|bench)\/[^\s:]+:\d+:(?:\d+:)? (?:fatal )?error:/

function cmakeJs(...args) {
  const env = {
    ...cleanEnvironment(),
    ...compilerCache(),
    CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()),
  }
  return run(process.execPath, [kCmakeJs, ...args, '-l', 'error'], { env })
}

/** Neighbours are compiled together: half the time for everything, more for one change. */
const kUnity = process.env['HOTROW_UNITY'] === '0' ? 'OFF' : 'ON'

/**
 * Configures every time: `cmake-js build` alone would not see a changed option. Without `tests` the
 * option is left as the tree has it, so that `npm start` after `npm test` keeps the test targets,
 * and only the addon is built.
 */
async function configureAndBuild(tests) {
  const options = [`--CDCMAKE_UNITY_BUILD=${kUnity}`, ...(tests ? ['--CDHOTROW_TESTS=ON'] : [])]
  const configured = await cmakeJs('configure', ...options)
  if (configured.code !== 0) return configured
  return cmakeJs('build', ...(tests ? [] : ['--target', 'hotrow']))
}

export async function buildNative(tests) {
  if (upToDate('addon') && (!tests || upToDate('tests'))) return
  say(`building the native core${tests ? ' and its tests' : ''} (incremental)`)
  const before = { addon: digests.addon(), tests: digests.tests() }
  stamp('addon', undefined)
  if (tests) stamp('tests', undefined)
  let result = await configureAndBuild(tests)
  if (result.code !== 0 && !kOwnError.test(result.output)) {
    say('the build failed, trying once more from a clean build folder')
    rmSync(join(root, 'build'), { recursive: true, force: true })
    forgetAll()
    result = await configureAndBuild(tests)
  }
  if (result.code !== 0) throw new Fatal('the native build failed (see above)')
  stamp('addon', before.addon)
  if (tests) stamp('tests', before.tests)
}

/** The benchmarks in C++: targets that nothing else builds. */
export async function buildBenchTable() {
  if (upToDate('benchTable')) return
  say('building the benchmarks in C++ (incremental)')
  const before = digests.benchTable()
  stamp('benchTable', undefined)
  let result = await cmakeJs('configure', '--CDHOTROW_BENCH_TABLE=ON')
  for (const target of ['hotrow_bench_table', 'hotrow_bench_tier', 'hotrow_bench_net']) {
    if (result.code === 0) result = await cmakeJs('build', '--target', target)
  }
  if (result.code !== 0) throw new Fatal('the benchmarks could not be built (see above)')
  stamp('benchTable', before)
}

/** What tsc once wrote for a source that is gone would still be packed. */
function removeStale() {
  for (const name of readdirSync(join(root, 'dist'), { recursive: true }).map(String)) {
    const source = name.replace(/(\.d)?\.[jt]s(\.map)?$/, '.ts')
    if (source !== name && !existsSync(join(root, 'lib', source))) rmSync(join(root, 'dist', name))
  }
}

export async function buildTypeScript() {
  if (upToDate('types')) return
  say('compiling lib/ to dist/')
  const before = digests.types()
  const { code } = await run(process.execPath, [kTsc, '-p', 'tsconfig.build.json'])
  if (code !== 0) throw new Fatal('tsc failed (see above)')
  removeStale()
  stamp('types', before)
}
