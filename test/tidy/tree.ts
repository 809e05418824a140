// The files that the tidy rules look at: a map from path to text, of the real tree or a planted
// one. Rules are functions from such a tree to complaints, so each can be shown to find what it is
// for.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'

export type Tree = ReadonlyMap<string, string>

/** Finds what breaks it: complaints of the form `path:line: what`, empty when the tree is tidy. */
export type Rule = (tree: Tree) => string[]

const kSkipped = /(^|\/)(node_modules|\.git|dist|build[^/]*|docs\/api)(\/|$)/
const kText = /\.(cc|h|cu|cuh|def|ts|mjs|js|json|md|txt|cmake|yml)$|(^|\/)(run|\.[a-z-]+)$/

function listByGit(root: string): string[] | undefined {
  try {
    const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
    const output = execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio })
    const paths = output.split('\0').filter((path) => path !== '' && existsSync(join(root, path)))
    return paths.length > 0 ? paths : undefined
  } catch {
    return undefined
  }
}

/** Without git, as in an unpacked archive: everything that is not installed or generated. */
function listByWalk(root: string, folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (kSkipped.test(relative(root, path))) return []
    return entry.isDirectory() ? listByWalk(root, path) : [relative(root, path)]
  })
}

export function readTree(root: string): Tree {
  const paths = (listByGit(root) ?? listByWalk(root)).sort()
  const wanted = paths.filter((path) => kText.test(path) && !kSkipped.test(path))
  const files = wanted.filter((path) => statSync(join(root, path)).isFile())
  return new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}

/** A tree made up for a test. */
export function planted(files: Record<string, string>): Tree {
  return new Map(Object.entries(files))
}

/** The files whose paths match. */
export function* matching(tree: Tree, pattern: RegExp): Generator<[path: string, text: string]> {
  for (const [path, text] of tree) if (pattern.test(path)) yield [path, text]
}

/** Complaints about each line of the matching files for which `judge` has one. */
export function eachLine(
  tree: Tree,
  pattern: RegExp,
  judge: (line: string, path: string) => string | undefined,
): string[] {
  const found: string[] = []
  for (const [path, text] of matching(tree, pattern)) {
    for (const [index, line] of text.split('\n').entries()) {
      const complaint = judge(line, path)
      if (complaint !== undefined) found.push(`${path}:${index + 1}: ${complaint}`)
    }
  }
  return found
}

export const kCpp = /\.(cc|h|cu|cuh)$/
export const kScript = /\.(ts|mjs)$/
