// Checks of what users get: the packed files, the API reference, and the main example end to end.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
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

/**
 * The addon runs from a folder that holds all it needs, and with RocksDB from there; the licences
 * of what is not ours lie beside it.
 */
async function bundle() {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-bundle-'))
  try {
    const made = await run(process.execPath, ['scripts/bundle.mjs', folder, 'hotrow.node'], {
      quiet: true,
    })
    if (made.code !== 0) return made
    const addon = join(folder, 'hotrow.node')
    const program = `
      const { readFileSync } = await import('node:fs')
      const { open, sum } = await import('hotrow')
      const store = await open(${JSON.stringify(join(folder, 'store'))})
      const table = await store.table('t', { dim: 2, optimizer: sum() })
      await table.push(BigUint64Array.of(1n), Float32Array.of(1, 2))
      console.log('version', (await store.commit()).version)
      console.log(readFileSync('/proc/self/maps', 'utf8').match(/\\S*librocksdb\\S*/)[0])`
    const ran = await run(process.execPath, ['--input-type=module', '-e', program], {
      quiet: true,
      env: { ...process.env, HOTROW_NATIVE_PATH: addon },
    })
    const noticed = ['libssl-dev', 'librocksdb'].every((name) => {
      return readdirSync(join(folder, 'notices')).some((notice) => notice.startsWith(name))
    })
    const right = ran.output.includes('version 1') && ran.output.includes(folder) && noticed
    return right ? ran : { ...ran, code: 1 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function example() {
  const args = ['start', '--', '--rows', String(kSmokeRows)]
  const result = await run('npm', args, { quiet: true, timeoutMs: 180_000 })
  return result.timedOut ? { ...result, output: `${result.output}\nran too long` } : result
}

export const packageSteps = [
  { name: 'npm pack', work: pack },
  { name: 'platform package: libraries beside the addon', work: bundle },
  {
    name: 'API reference: typedoc',
    work: () => run(join(root, 'node_modules/.bin/typedoc'), [], { quiet: true }),
  },
  { name: `npm start -- --rows ${kSmokeRows}`, work: example },
]
