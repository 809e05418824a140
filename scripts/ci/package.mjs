// Checks of what users get: the packed files, the API reference, and the main example end to end.

import { join } from 'node:path'
import { root, run } from '../common/process.mjs'

const kNeeded = [
  'CMakeLists.txt',
  'LICENSE',
  'README.md',
  'dist/index.d.ts',
  'dist/index.js',
  'native/include/hotrow/store.h',
  'package.json',
]
const kUnwanted = /^(test|bench|examples|build|scripts|node_modules|docs|\.ci)\//
const kSmokeRows = 100_000

async function pack() {
  const result = await run('npm', ['pack', '--dry-run', '--json'], { quiet: true })
  if (result.code !== 0) return result
  const json = result.output.slice(
    result.output.search(/^\[$/m),
    result.output.lastIndexOf(']') + 1,
  )
  const files = JSON.parse(json)[0].files.map(({ path }) => path)
  const missing = kNeeded.filter((path) => !files.includes(path))
  const unwanted = files.filter((path) => kUnwanted.test(path))
  const complaints = [
    ...missing.map((path) => `not packed: ${path}`),
    ...unwanted.map((path) => `packed, though users do not need it: ${path}`),
  ]
  const note = `(${files.length} files)`
  return { code: complaints.length > 0 ? 1 : 0, output: complaints.join('\n'), note }
}

async function example() {
  const args = ['start', '--', '--rows', String(kSmokeRows)]
  const result = await run('npm', args, { quiet: true, timeoutMs: 180_000 })
  return result.timedOut ? { ...result, output: `${result.output}\nran too long` } : result
}

export const packageSteps = [
  { name: 'npm pack', work: pack },
  {
    name: 'API reference: typedoc',
    work: () => run(join(root, 'node_modules/.bin/typedoc'), [], { quiet: true }),
  },
  { name: `npm start -- --rows ${kSmokeRows}`, work: example },
]
