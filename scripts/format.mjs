// Formats the C++ sources with clang-format 19, or with --check says which ones differ.
// Where clang-format 19 is missing it says so and does nothing: CI has it.

import { spawnSync } from 'node:child_process'
import { root, say, which } from './common/process.mjs'
import { cppFiles } from './common/sources.mjs'

const tool = which('clang-format-19')
const files = cppFiles()
if (!tool) say('clang-format-19 is not installed: C++ formatting skipped')
else if (files.length > 0) {
  const mode = process.argv.includes('--check') ? ['--dry-run', '-Werror'] : ['-i']
  const { status } = spawnSync(tool, [...mode, ...files], { cwd: root, stdio: 'inherit' })
  process.exitCode = status ?? 1
}
