// Which files a build step reads, reduced to one digest of paths, sizes and times. A stamp file
// keeps the digest of the last successful run of each step; a step runs when its digest differs, so
// deleted and older files are noticed as well as newer ones.

import { createHash } from 'node:crypto'
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
import { root } from '../common/process.mjs'

const kStamp = join(root, 'build/.bootstrap.json')

function* filesUnder(path, accept) {
  const absolute = join(root, path)
  if (!existsSync(absolute)) return
  const info = statSync(absolute)
  if (!info.isDirectory()) {
    yield [path, info]
    return
  }
  for (const name of readdirSync(absolute).sort()) {
    const child = join(path, name)
    if (statSync(join(root, child)).isDirectory()) yield* filesUnder(child, accept)
    else if (accept(name)) yield [child, statSync(join(root, child))]
  }
}

function digest(paths, accept = () => true) {
  // The root is part of it: CMake's cache does not survive a moved tree.
  const hash = createHash('sha256').update(root)
  for (const path of paths) {
    for (const [name, info] of filesUnder(path, accept)) {
      hash.update(`${name}\0${info.size}\0${info.mtimeMs}\n`)
    }
  }
  return hash.digest('hex')
}

const kNative = ['CMakeLists.txt', 'cmake', 'package-lock.json', 'native', 'bindings', 'cuda']

export const digests = {
  addon: () => digest(kNative),
  tests: () => digest([...kNative, 'test'], (name) => /\.(cc|cpp|h|txt|cmake|def|inc)$/.test(name)),
  benchTable: () => digest([...kNative, 'bench/table', 'bench/tier', 'bench/net']),
  types: () => digest(['lib', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']),
}

const kOutputs = {
  addon: 'build/Release/hotrow.node',
  tests: 'build/CTestTestfile.cmake',
  benchTable: 'build/hotrow_bench_table',
  types: 'dist/index.js',
}

function stamps() {
  try {
    return JSON.parse(readFileSync(kStamp, 'utf8'))
  } catch {
    return {}
  }
}

/** True when the step's last run read what lies there now and its output still exists. */
export function upToDate(step) {
  return existsSync(join(root, kOutputs[step])) && stamps()[step] === digests[step]()
}

/** Records (or, without a digest, forgets) what the step's outputs were made from. */
export function stamp(step, value) {
  const next = { ...stamps(), [step]: value }
  mkdirSync(dirname(kStamp), { recursive: true })
  writeFileSync(kStamp, JSON.stringify(next))
}

export function forgetAll() {
  rmSync(kStamp, { force: true })
}
