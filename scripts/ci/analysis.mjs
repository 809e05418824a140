// Checks that read the sources without running them: lint, format, types, tidy, clang's analyses.
// The clang steps take their flags from the compile commands of the build that `npm test` made.

import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root, run } from '../common/process.mjs'
import { cppFiles } from '../common/sources.mjs'
import { merge, tool, twoAtOnce, unavailable } from './tools.mjs'

/** One file may take this long; Highway's kernels are compiled once per instruction set. */
const kFileTimeoutMs = 240_000

const bin = (name) => join(root, 'node_modules/.bin', name)
const quietly = (command, ...args) => run(command, args, { quiet: true })

/** [{ file, args }] of our own sources, the flags without compiler, input and output. */
function compileCommands() {
  const path = join(root, 'build/compile_commands.json')
  if (!existsSync(path))
    throw new Error('build/compile_commands.json is missing: run npm test first')
  const own = /^(native|bindings)\/.*\.cc$/
  return JSON.parse(readFileSync(path, 'utf8'))
    .map(({ file, command }) => ({ file: relative(root, file), command }))
    .filter(({ file }, index, all) => {
      return own.test(file) && all.findIndex((other) => other.file === file) === index
    })
    .map(({ file, command }) => ({ file, args: flags(command) }))
}

function flags(command) {
  const words = command.match(/(?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+/g) ?? []
  const plain = words.map((word) => word.replace(/\\(.)/g, '$1'))
  const dropped = new Set(['-o', '-c', '-MF', '-MT', '-MD'])
  const kept = []
  for (let i = 1; i < plain.length; i++) {
    if (!dropped.has(plain[i])) kept.push(plain[i])
    else if (plain[i] !== '-MD') i++
  }
  return kept
}

async function clangFormat() {
  const format = await tool('clang-format-19')
  if (!format) return unavailable('clang-format-19')
  return quietly(format, '--dry-run', '-Werror', ...cppFiles())
}

async function threadSafety() {
  const clang = await tool('clang++-19')
  if (!clang) return unavailable('clang++-19')
  const extra = ['-fsyntax-only', '-Wno-everything', '-Wthread-safety', '-Werror']
  const jobs = compileCommands().map(({ file, args }) => () => {
    const options = { quiet: true, timeoutMs: kFileTimeoutMs }
    return run(clang, [...args, ...extra, file], options)
  })
  return { ...merge(await twoAtOnce(jobs)), note: `(${jobs.length} files)` }
}

/** What the analyser finds inside a system header that it followed is not ours to mend. */
function judgeTidy(file, result) {
  if (result.timedOut) return { code: 1, output: `${file}: clang-tidy ran too long` }
  const places = [...result.output.matchAll(/^(\/\S+?):\d+:\d+: error:/gm)].map(([, path]) => path)
  const foreign = places.length > 0 && places.every((path) => relative(root, path).startsWith('..'))
  return foreign ? { code: 0, output: '' } : result
}

async function clangTidy() {
  const tidy = await tool('clang-tidy-19')
  if (!tidy) return unavailable('clang-tidy-19')
  const extra = ['--quiet', '-p', 'build', '--extra-arg=-Wno-unknown-warning-option']
  const jobs = compileCommands().map(({ file }) => async () => {
    const options = { quiet: true, timeoutMs: kFileTimeoutMs }
    const result = await run(tidy, [...extra, file], options)
    return judgeTidy(file, result)
  })
  return { ...merge(await twoAtOnce(jobs)), note: `(${jobs.length} files)` }
}

export const analysisSteps = [
  { name: 'lint and format: biome', work: () => quietly(bin('biome'), 'ci', '--colors=off', '.') },
  { name: 'format: clang-format', work: clangFormat },
  { name: 'types: tsc', work: () => quietly(bin('tsc'), '-p', 'tsconfig.json') },
  {
    name: 'tidy',
    work: () => quietly(process.execPath, '--import', 'tsx', 'test/tidy.test.ts'),
  },
  { name: 'thread safety: clang', work: threadSafety },
  { name: 'clang-tidy', work: clangTidy },
]
