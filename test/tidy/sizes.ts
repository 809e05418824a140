// Limits on size, and words that must not stay: the numbers are those of CONTRIBUTING.md.

import { cppFunctions } from './cpp.ts'
import { scriptFunctions } from './script.ts'
import { eachLine, kCpp, kScript, matching, type Rule } from './tree.ts'

const kFileLines: [pattern: RegExp, lines: number][] = [
  [/\.(cc|cu)$/, 800],
  [/\.(h|cuh)$/, 500],
  [kScript, 400],
]
const kFunctionLines = 70
const kColumns = 100
const kSource = /\.(cc|h|cu|cuh|def|ts|mjs|cmake)$|(^|\/)CMakeLists\.txt$/

export const fileLines: Rule = (tree) =>
  kFileLines.flatMap(([pattern, limit]) =>
    [...matching(tree, pattern)].flatMap(([path, text]) => {
      const lines = text.replace(/\n$/, '').split('\n').length
      return lines > limit ? [`${path}:1: ${lines} lines, the limit is ${limit}`] : []
    }),
  )

export const functionLines: Rule = (tree) => {
  const found: string[] = []
  const judge = (
    path: string,
    { name, line, lines }: { name: string; line: number; lines: number },
  ) => {
    if (lines <= kFunctionLines) return
    found.push(`${path}:${line}: ${name} has ${lines} lines, the limit is ${kFunctionLines}`)
  }
  for (const [path, text] of matching(tree, kCpp)) {
    for (const each of cppFunctions(text)) judge(path, each)
  }
  for (const [path, text] of matching(tree, kScript)) {
    for (const each of scriptFunctions(path, text)) judge(path, each)
  }
  return found
}

export const columns: Rule = (tree) =>
  eachLine(tree, kSource, (line) => {
    const length = [...line].length
    return length > kColumns ? `${length} columns, the limit is ${kColumns}` : undefined
  })

// Spelt in two parts, so that this file passes.
const kNever = new RegExp(`\\b(FIX${'ME'}|X${'XX'})\\b`)
const kLater = new RegExp(`\\bTO${'DO'}\\b(?!\\(#\\d+\\))`)

export const leftovers: Rule = (tree) =>
  eachLine(tree, kSource, (line) => {
    if (kNever.test(line)) return `${kNever.exec(line)?.[0]} must not stay`
    return kLater.test(line) ? 'a note for later needs its issue: (#12) right behind it' : undefined
  })

/**
 * A file says what it is for before it says anything else. An implementation may open with its own
 * header instead, which says it.
 */
export const opensWithComment: Rule = (tree) =>
  [...matching(tree, /\.(cc|h|cu|cuh|def|ts|mjs)$/)].flatMap(([path, text]) => {
    const stem = path.replace(/^.*\/|\.\w+$/g, '')
    const header = path.endsWith('.h') ? undefined : /^#include ".*?(\w+)\.h"/.exec(text)?.[1]
    if (header === stem || /^(#!.*\n)?\s*(\/\/|\/\*)/.test(text)) return []
    return [`${path}:1: does not open with a comment`]
  })
