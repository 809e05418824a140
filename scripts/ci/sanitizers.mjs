// The C++ tests under AddressSanitizer with UndefinedBehaviorSanitizer and under ThreadSanitizer,
// each in its own build folder, and the addon under AddressSanitizer inside Node. Optimised a
// little, with assertions on: the plain build has them off. Neighbours are compiled together. Long
// tests scale themselves down.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { compilerCache } from '../common/compiler-cache.mjs'
import { cleanEnvironment, root, run, succeeds, which } from '../common/process.mjs'
import { closingLine } from '../common/totals.mjs'
import { runGtest, testNames } from '../test/gtest.mjs'

const kFlags = '-O1 -g1 -fno-omit-frame-pointer'
/** Of one process, which does a third of the tests. */
const kTestTimeoutMs = 1_200_000

const env = {
  ...cleanEnvironment(),
  ...compilerCache(),
  ...(which('ninja') ? { CMAKE_GENERATOR: 'Ninja' } : {}),
  CMAKE_BUILD_PARALLEL_LEVEL: '2',
  ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1',
  LSAN_OPTIONS: `suppressions=${join(root, 'scripts/ci/leaks.txt')}:print_suppressions=0`,
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
}

/** Of a parametrised test those with one of these numbers. */
const numbered = (test, ...numbers) => numbers.map((number) => `${test}/${number}`)

/**
 * Left out under a sanitizer, as far as they would show it nothing that others do not: further
 * shares of the same cases, and under ThreadSanitizer what one thread does alone, or processes that
 * are killed. The plain build runs all of them. Patterns of GoogleTest, which knows * and ? only.
 */
const kMoreOfTheSame = [
  ...numbered('Threads/Model.EqualsThePlainStore', 1, 2),
  ...['GpuCache.DoesWhatTheModelSaysUnderEveryPolicyForLong', 'GpuCache.HoldsFewBuckets'],
  // One optimizer in four; the steps themselves have no memory of their own.
  ...numbered('Rules/GpuPush.*', 1, 2, 5, 6, 7, 9, 10, 11, 13, 14, 15, 16, 17, 18),
]
const kOneThread = [
  ...['Shares/DamagedFiles.*', 'SortedRowsTest.*', 'Levels.*', 'Golden.*', 'Reserve.*'],
  ...['FaultyDiskTest.*', 'Kill.*', 'Syncs.*', 'Recover.*', 'FailedAllocation*', 'Policies/*'],
  ...['Eviction.MemoryGivenBack*', 'Capacity.EraseMakesRoom', 'Capacity.DropMakesRoom*'],
  ...['Eviction.ALimit*', 'Admission.ALimit*', 'Capacity.SmallRows*', 'CudaRules.*', 'CudaCodec.*'],
  ...['Rules/GpuPush.*', 'GpuCache.*', 'GpuParts.*', 'GpuScores.*', 'GpuChunkWalk.*'],
  ...numbered('Threads/Model.EqualsThePlainStore', 1, 2),
]

/** A pattern that matches no test leaves nothing out, and nobody would see it. */
function matchingNothing(patterns, program) {
  const names = testNames(program, { env })
  return patterns.filter((pattern) => {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
    const match = new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
    return !names.some((name) => match.test(name))
  })
}

async function tests(folder, leftOut, prefix = []) {
  const program = [...prefix, join(root, folder, 'hotrow_tests')]
  const unknown = matchingNothing(leftOut, program)
  if (unknown.length > 0) return { code: 1, output: `no test is called ${unknown.join(', ')}` }
  const command = [...program, `--gtest_filter=-${leftOut.join(':')}`]
  const started = performance.now()
  const { totals, output, skips } = await runGtest(command, { timeoutMs: kTestTimeoutMs, env })
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  for (const skip of skips) console.log(`  skipped ${skip}`)
  const failed = totals.failed > 0 || totals.passed === 0
  return {
    code: failed ? 1 : 0,
    output,
    note: `(${closingLine(totals)}; ${seconds} s of it tests)`,
  }
}

async function inOrder(...commands) {
  for (const [command, ...args] of commands) {
    const result = await run(command, args, { env, quiet: true })
    if (result.code !== 0) return result
  }
  return { code: 0, output: '' }
}

async function addressTests() {
  const cmakeJs = [process.execPath, join(root, 'node_modules/cmake-js/bin/cmake-js')]
  const options = ['-O', 'build-asan', '-l', 'error']
  const built = await inOrder(
    [
      ...[...cmakeJs, 'configure', ...options, '--CDHOTROW_TESTS=ON'],
      ...['--CDHOTROW_SANITIZE=address,undefined', `--CDCMAKE_CXX_FLAGS_RELEASE=${kFlags}`],
      '--CDCMAKE_UNITY_BUILD=ON',
    ],
    [...cmakeJs, 'build', ...options],
  )
  return built.code === 0 ? tests('build-asan', kMoreOfTheSame) : built
}

/**
 * ThreadSanitizer of g++ 12 refuses the address layouts of newer kernels. GoogleTest's programs run
 * while they are built too, to list their tests, so the build is wrapped as well.
 */
async function threadTests() {
  const fixed = succeeds('setarch', ['-R', 'true']) ? ['setarch', '-R'] : []
  const built = await inOrder(
    [
      ...['cmake', '-S', '.', '-B', 'build-tsan', '-DHOTROW_TESTS=ON', '-DHOTROW_SANITIZE=thread'],
      ...['-DCMAKE_BUILD_TYPE=Release', `-DCMAKE_CXX_FLAGS_RELEASE=${kFlags}`],
      '-DCMAKE_UNITY_BUILD=ON',
    ],
    [...fixed, 'cmake', '--build', 'build-tsan'],
  )
  return built.code === 0 ? tests('build-tsan', kOneThread, fixed) : built
}

/**
 * Node itself is not instrumented, so the sanitizer's runtime is loaded before it. V8 leaks a
 * little at an early exit: of the leaks, only those with our code in their stack count.
 */
async function addonInNode() {
  const asan = spawnSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' })
  const library = asan.stdout?.trim() ?? ''
  if (!library.includes('/')) return { skip: 'g++ has no libasan.so' }
  const { output, timedOut } = await run(
    process.execPath,
    ['--expose-gc', 'scripts/ci/addon.mjs'],
    {
      quiet: true,
      timeoutMs: kTestTimeoutMs,
      env: {
        ...env,
        LD_PRELOAD: library,
        HOTROW_NATIVE_PATH: join(root, 'build-asan/Release/hotrow.node'),
      },
    },
  )
  const leaks = output.split(/\n\n+/).filter((block) => {
    return /^(Direct|Indirect) leak/m.test(block) && /hotrow|\/(native|bindings)\//.test(block)
  })
  if (leaks.length > 0) return { code: 1, output: leaks.join('\n\n') }
  const passed = /^addon: all checks passed$/m.test(output) && !timedOut
  const clean = !/ERROR: AddressSanitizer|runtime error:/.test(output)
  const [shown] = output.split(/^=+\n==\d+==ERROR: LeakSanitizer/m)
  return { code: passed && clean ? 0 : 1, output: shown }
}

export const sanitizerSteps = [
  { name: 'C++ tests: address and undefined behaviour sanitizers', work: addressTests },
  { name: 'addon in Node: address sanitizer', work: addonInNode },
  { name: 'C++ tests: thread sanitizer', work: threadTests },
]
