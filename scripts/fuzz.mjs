// Searches for inputs of the wire's decoders and state machines that break what must hold
// (test/fuzz), with libFuzzer and sanitizers, in a build folder of its own.
//
//   npm run fuzz -- [--seconds N] [--only TARGET]
//
// All targets share the seconds (default 60). What a search finds stays in build-fuzz/corpus and is
// where the next one begins. Exits with 1 when something was found, whose input is then beside it.
// Where clang or libFuzzer cannot be had it says so and exits with 0.

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { installPackages } from './bootstrap/system.mjs'
import { tool, unavailable } from './ci/tools.mjs'
import { cleanEnvironment, root, run, say, succeeds, which } from './common/process.mjs'

const kTargets = ['frames', 'messages', 'sessions', 'slot-maps', 'texts', 'clocks']
const kFolder = join(root, 'build-fuzz')
const kCompiler = 'clang++-19'
const kMostBytes = { 'slot-maps': 4096, sessions: 8192 }
const kFlags = '-O1 -g1 -fno-omit-frame-pointer'

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? otherwise : process.argv[at + 1]
}

const env = {
  ...cleanEnvironment(),
  ...(which('ninja') ? { CMAKE_GENERATOR: 'Ninja' } : {}),
  ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
}

/** Is there a runtime of libFuzzer for the compiler? */
function hasRuntime(compiler) {
  const probe = 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }'
  const script = `echo '${probe}' | "$0" -x c++ -fsanitize=fuzzer -o /dev/null -`
  return succeeds('sh', ['-c', script, compiler])
}

async function build(compiler) {
  const settings = [
    '-DHOTROW_FUZZ=ON',
    '-DCMAKE_BUILD_TYPE=Release',
    '-DCMAKE_UNITY_BUILD=ON',
    `-DCMAKE_CXX_COMPILER=${compiler}`,
    `-DCMAKE_CXX_FLAGS_RELEASE=${kFlags}`,
    '-DHOTROW_SANITIZE=fuzzer-no-link,address,undefined',
  ]
  const configured = await run('cmake', ['-S', root, '-B', kFolder, ...settings], { env })
  if (configured.code !== 0) return false
  const args = ['--build', kFolder, '--target', 'hotrow_fuzz', '--parallel', '2']
  return (await run('cmake', args, { env })).code === 0
}

/** True when nothing was found. */
async function search(target, seconds) {
  const corpus = join(kFolder, 'corpus', target)
  const found = join(kFolder, 'found', target)
  for (const folder of [corpus, found]) mkdirSync(folder, { recursive: true })
  const args = [
    corpus,
    `-max_total_time=${seconds}`,
    `-max_len=${kMostBytes[target] ?? 2048}`,
    `-artifact_prefix=${found}/`,
    '-timeout=20',
    // Not after each input, as a server that hears many holds more at times: at the end.
    '-detect_leaks=0',
    '-rss_limit_mb=2048',
    '-print_final_stats=1',
    '-verbosity=0',
  ]
  say(`fuzz: ${target} for ${seconds} s`)
  const its = { ...env, HOTROW_FUZZ_TARGET: target, HOTROW_FUZZ_SEEDS: corpus }
  const { code, output } = await run(join(kFolder, 'hotrow_fuzz'), args, { env: its, quiet: true })
  const [, runs] = /number_of_executed_units:\s*(\d+)/.exec(output) ?? []
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${target}: ${runs ?? 'some'} inputs`)
  if (code !== 0) console.log(`${output}\nits input: ${found}`)
  return code === 0
}

async function main() {
  const seconds = Number(option('seconds', '60'))
  const only = option('only', '')
  const chosen = kTargets.filter((target) => target.includes(only))
  if (!(seconds >= 1) || chosen.length === 0) {
    say(`fuzz: expected --seconds N from 1 on, and --only one of ${kTargets.join(' ')}`)
    process.exitCode = 2
    return
  }
  const compiler = await tool(kCompiler)
  if (!compiler) return console.log(`skip: ${unavailable(kCompiler).skip}`)
  if (!hasRuntime(compiler)) await installPackages(['libclang-rt-19-dev'])
  if (!hasRuntime(compiler)) {
    return console.log('skip: libFuzzer is not installed and cannot be: libclang-rt-19-dev')
  }
  if (!(await build(compiler)) || !existsSync(join(kFolder, 'hotrow_fuzz'))) {
    say('fuzz: it could not be built (see above)')
    process.exitCode = 1
    return
  }
  const each = Math.max(1, Math.floor(seconds / chosen.length))
  let good = true
  for (const target of chosen) good = (await search(target, each)) && good
  if (!good) process.exitCode = 1
}

await main()
