// Folder directions of the C++ sources: what each folder may include. The table is the one of
// docs/ARCHITECTURE.md; a folder that is not in it breaks the rule, so the two grow together.

import { dirname, join, normalize } from 'node:path'
import { eachLine, type Rule, type Tree } from './tree.ts'

/** Folder below native/ -> folders below native/ that it may include, besides itself. */
const kDirections: Record<string, readonly string[]> = {
  base: [],
  memory: ['base'],
  simd: ['base'],
  table: ['base', 'memory', 'simd'],
  storage: ['base'],
  store: ['base', 'memory', 'simd', 'table', 'storage'],
  wire: ['base'],
  net: ['base'],
  server: ['base', 'wire', 'net'],
  client: ['base', 'wire', 'net'],
}

/** Libraries by the head of their include path, and the folders that may use them. */
const kLibraries: [head: RegExp, owners: RegExp][] = [
  [/^hwy\//, /^native\/simd\//],
  [/^xxhash\.h$/, /^native\/base\//],
  [/^rocksdb\//, /^native\/storage\//],
  [/^(asio|openssl|ucp|uct)[/.]/, /^native\/net\//],
  [/^(sys\/socket|netdb|netinet\/.*|arpa\/.*)\.h$/, /^native\/net\//],
  [/^(napi|node_api|js_native_api|uv)\.h$/, /^bindings\//],
  [/^(cuda|cub|thrust|cooperative_groups)/, /^cuda\//],
]

/** Heads that a public header may not have: it needs nothing but the standard library. */
const kNotStandard = /[/.]/

/**
 * What cuda/ may include beside itself, base/ and the public headers: its contract with the store,
 * and what the rules of both tiers must read alike. All of it is plain, so that nvcc can.
 */
const kOfCuda = ['store/tier.h', 'simd/update_step.h', 'simd/value_layout.h']

/** What an include in quotes leads to: `hotrow`, `native/<folder>`, `bindings` or `cuda`. */
function target(tree: Tree, from: string, include: string): string {
  const beside = normalize(join(dirname(from), include))
  const path = tree.has(beside) ? beside : include.replace(/^\.\//, '')
  if (/^(native\/include\/)?hotrow\//.test(path)) return 'hotrow'
  if (/^(bindings|cuda)\//.test(path)) return path.split('/')[0] as string
  const [head, second] = path.split('/') as [string, string?]
  return head === 'native' ? `native/${second}` : `native/${head}`
}

function judgeQuoted(tree: Tree, path: string, include: string): string | undefined {
  const to = target(tree, path, include)
  const complaint = `may not include "${include}"`
  if (path.startsWith('native/include/')) return to === 'hotrow' ? undefined : complaint
  if (to === 'hotrow') return undefined
  if (path.startsWith('bindings/')) return to === 'bindings' ? undefined : complaint
  if (path.startsWith('cuda/')) {
    const allowed = to === 'cuda' || to === 'native/base' || kOfCuda.includes(include)
    return allowed ? undefined : complaint
  }
  const folder = path.split('/')[1] as string
  const allowed = kDirections[folder]
  if (allowed === undefined) return `native/${folder} is not in the table of folders`
  return [folder, ...allowed].some((each) => to === `native/${each}`) ? undefined : complaint
}

function judgeAngled(path: string, include: string): string | undefined {
  if (path.startsWith('native/include/') && kNotStandard.test(include)) {
    return `a public header may not include <${include}>`
  }
  const library = kLibraries.find(([head]) => head.test(include))
  if (library === undefined || library[1].test(path)) return undefined
  return `may not include <${include}>`
}

/** Each folder includes only what the table allows; public headers only each other. */
export const includeDirections: Rule = (tree) =>
  eachLine(tree, /^(native|bindings|cuda)\/.*\.(cc|h|cu|cuh)$/, (line, path) => {
    const quoted = /^\s*#\s*include\s*"([^"]+)"/.exec(line)?.[1]
    if (quoted !== undefined) return judgeQuoted(tree, path, quoted)
    const angled = /^\s*#\s*include\s*<([^>]+)>/.exec(line)?.[1]
    return angled === undefined ? undefined : judgeAngled(path, angled)
  })

/**
 * The core takes locks through base/sync.h, whose types carry the annotations of the analysis.
 * bindings/ sees only the public headers, so it may use the standard library's.
 */
export const mutexesOnlyInSync: Rule = (tree) =>
  eachLine(tree, /^(native|cuda)\/.*\.(cc|h|cu|cuh)$/, (line, path) => {
    if (path === 'native/base/sync.h') return undefined
    const code = line.replace(/\/\/.*$/, '')
    const name = /std::(\w*mutex|condition_variable\w*|lock_guard|unique_lock|shared_lock)\b/.exec(
      code,
    )
    return name ? `names ${name[0]}; use base/sync.h` : undefined
  })
