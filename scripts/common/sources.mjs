// The files of the tree that tools work on. Skips what is installed or generated.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './process.mjs'

/** Files under `folders` whose names end as `pattern` says, as paths from the root, sorted. */
export function sources(folders, pattern) {
  const found = []
  for (const folder of folders) {
    if (!existsSync(join(root, folder))) continue
    for (const name of readdirSync(join(root, folder), { recursive: true }).map(String)) {
      if (pattern.test(name) && !name.includes('node_modules')) found.push(join(folder, name))
    }
  }
  return found.sort()
}

export const cppFiles = () =>
  sources(['native', 'bindings', 'cuda', 'test', 'bench'], /\.(cc|h|cu|cuh)$/)
