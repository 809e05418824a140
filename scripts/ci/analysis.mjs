// Checks that read the sources without running them: lint, format, types, tidy, clang's analyses.
// The clang steps take their flags from the compile commands of the build that `npm test` made.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { root, run } from '../common/process.mjs'
import { cppFiles } from '../common/sources.mjs'
import { merge, tool, twoAtOnce, unavailable } from './tools.mjs'

/** One unit may take this long; Highway's kernels are read once per instruction set. */
const kUnitTimeoutMs = 240_000

const bin = (name) => join(root, 'node_modules/.bin', name)
const quietly = (command, ...args) => run(command, args, { quiet: true })

/** What cannot be read together with its neighbours: kernels, which include themselves, and the
 * instantiation of what its neighbours instantiate in part. */
const kAlone =
  /^native\/(simd\/.*|base\/xxh3_avx2\.cc|table\/indexed_rows\.cc)$|^bindings\/addon\.cc$/

/**
 * Writes one unit for each folder of our own sources, which includes them all, and the compile
 * commands of the units: headers are most of what an analysis reads, and so they are read once.
 * Returns the units' paths.
 */
function units() {
  const path = join(root, 'build/compile_commands.json')
  if (!existsSync(path))
    throw new Error('build/compile_commands.json is missing: run npm test first')
  const folder = join(root, 'build/analysis')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const commands = new Map()
  const together = new Map()
  for (const { file, command } of JSON.parse(readFileSync(path, 'utf8'))) {
    const name = relative(root, file)
    if (!/^(native|bindings)\/.*\.cc$/.test(name)) continue
    const unit = kAlone.test(name) ? file : join(folder, `${basename(dirname(name))}.cc`)
    commands.set(unit, { directory: root, file: unit, command: command.replaceAll(file, unit) })
    if (unit !== file) together.set(unit, (together.get(unit) ?? new Set()).add(file))
  }
  for (const [unit, files] of together) {
    writeFileSync(unit, [...files].map((file) => `#include "${file}"\n`).join(''))
  }
  writeFileSync(join(folder, 'compile_commands.json'), JSON.stringify([...commands.values()]))
  return [...commands.keys()]
}

async function clangFormat() {
  const format = await tool('clang-format-19')
  if (!format) return unavailable('clang-format-19')
  return quietly(format, '--dry-run', '-Werror', ...cppFiles())
}

/** What the analyser finds inside a system header that it followed is not ours to mend. */
function judgeTidy(file, result) {
  if (result.timedOut) return { code: 1, output: `${file}: clang-tidy ran too long` }
  const places = [...result.output.matchAll(/^(\/\S+?):\d+:\d+: error:/gm)].map(([, path]) => path)
  const foreign = places.length > 0 && places.every((path) => relative(root, path).startsWith('..'))
  return foreign ? { code: 0, output: '' } : result
}

/** clang-tidy's checks, and with them what clang knows of locks. */
async function clangTidy() {
  const tidy = await tool('clang-tidy-19')
  if (!tidy) return unavailable('clang-tidy-19')
  const fixed = ['--quiet', '-p', 'build/analysis', '--config-file=.clang-tidy']
  fixed.push('--checks=-bugprone-suspicious-include,clang-diagnostic-thread-safety*')
  fixed.push('--extra-arg=-Wno-unknown-warning-option', '--extra-arg=-Wthread-safety')
  const jobs = units().map((file) => async () => {
    const options = { quiet: true, timeoutMs: kUnitTimeoutMs }
    return judgeTidy(file, await run(tidy, [...fixed, file], options))
  })
  return { ...merge(await twoAtOnce(jobs)), note: `(${jobs.length} units)` }
}

export const analysisSteps = [
  { name: 'lint and format: biome', work: () => quietly(bin('biome'), 'ci', '--colors=off', '.') },
  { name: 'format: clang-format', work: clangFormat },
  { name: 'types: tsc', work: () => quietly(bin('tsc'), '-p', 'tsconfig.json') },
  {
    name: 'tidy',
    work: () => quietly(process.execPath, '--import', 'tsx', 'test/tidy.test.ts'),
  },
  { name: 'clang-tidy and thread safety', work: clangTidy },
]
