// What is written twice, in C++ and in TypeScript, and must agree: options and status codes.

import ts from 'typescript'
import { blankNonCode } from './cpp.ts'
import type { Rule, Tree } from './tree.ts'

/** C++ struct -> the TypeScript interfaces or type aliases that may mirror it. */
const kMirrors: Record<string, readonly string[]> = {
  StoreOptions: ['StoreOptions'],
  GpuOptions: ['GpuOptions'],
  TableOptions: ['TableOptions'],
  DenseOptions: ['DenseOptions'],
  OptimizerOptions: ['OptimizerOptions', 'Optimizer'],
  OptimizerGroup: ['OptimizerGroup'],
  InitializerOptions: ['InitializerOptions', 'Initializer'],
  PushOptions: ['PushOptions'],
  AdmissionOptions: ['AdmissionOptions'],
  EvictionOptions: ['EvictionOptions'],
  LookupOptions: ['LookupOptions'],
  UpdateOptions: ['UpdateOptions'],
  ShrinkOptions: ['ShrinkOptions'],
}
/** Fields that servers and their clients set, and no user does. */
const kInternal: Record<string, readonly string[]> = { DenseOptions: ['chunk'] }
const kHeaders = ['options', 'batch', 'store'].map((name) => `native/include/hotrow/${name}.h`)
const kInterfaces = 'lib/options.ts'
const kCodes = 'native/include/hotrow/status_codes.def'
const kErrors = 'lib/errors.ts'

export const camelCase = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** Fields of every `struct Name { ... };` of a header, methods left out. */
export function structFields(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [, name, body] of blankNonCode(text).matchAll(/^struct (\w+) \{(.*?)^\};/gms)) {
    const statements = (body as string).split(';').map((each) => each.trim())
    const fields = statements.flatMap((each) => {
      const field = /^[\w:<>, ]+[\s>](\w+)\s*(?:=.*|\{.*\})?$/s.exec(each)
      return field && !each.includes('(') ? [field[1] as string] : []
    })
    found.set(name as string, fields)
  }
  return found
}

type Named = ts.InterfaceDeclaration | ts.TypeAliasDeclaration

/** Property names of an interface or type alias, through unions, intersections and wrappers. */
export function properties(text: string, name: string): string[] | undefined {
  const source = ts.createSourceFile('options.ts', text, ts.ScriptTarget.Latest, true)
  const named = new Map<string, Named>()
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      named.set(statement.name.text, statement)
    }
  }
  const names = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isPropertySignature(node)) {
      names.add(node.name.getText(source))
      return
    }
    const reference = ts.isTypeReferenceNode(node) ? node.typeName : undefined
    const heritage = ts.isExpressionWithTypeArguments(node) ? node.expression : undefined
    const target = named.get((reference ?? heritage)?.getText(source) ?? '')
    if (target) visit(target)
    ts.forEachChild(node, visit)
  }
  const start = named.get(name)
  if (start === undefined) return undefined
  visit(start)
  return [...names]
}

function differences(where: string, ours: string[], theirs: string[], whose: string): string[] {
  return ours
    .filter((each) => !theirs.includes(each))
    .map((each) => `${where}:1: ${each} is missing in ${whose}`)
}

function needed(tree: Tree, paths: string[]): string[] {
  return paths.filter((path) => !tree.has(path)).map((path) => `${path}:1: is missing`)
}

/** Every field of an options struct is a property of its mirror, and the other way round. */
export const optionsMirror: Rule = (tree) => {
  const missing = needed(tree, [...kHeaders, kInterfaces])
  if (missing.length > 0) return missing
  const structs = structFields(kHeaders.map((path) => tree.get(path)).join('\n'))
  const text = tree.get(kInterfaces) as string
  return Object.entries(kMirrors).flatMap(([struct, candidates]) => {
    const fields = structs.get(struct)
    if (fields === undefined) return [`${kHeaders[0]}:1: no struct ${struct}`]
    const mirror = candidates.find((name) => properties(text, name) !== undefined)
    if (mirror === undefined) return [`${kInterfaces}:1: no ${candidates.join(' or ')}`]
    const ours = properties(text, mirror) as string[]
    const theirs = fields.map(camelCase).filter((each) => !kInternal[struct]?.includes(each))
    return [
      ...differences(kInterfaces, theirs, ours, `TypeScript's ${mirror}`),
      ...differences(kHeaders[0] as string, ours, theirs, `struct ${struct}`),
    ]
  })
}

/** The codes of the type `name` (a union of string literals, or of a const table's keys). */
function codesIn(text: string): string[] {
  const code = text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, '')
  return [...new Set([...code.matchAll(/\bERR_[A-Z_]+\b/g)].map(([each]) => each))]
}

/** Both languages know the same status codes. */
export const statusCodes: Rule = (tree) => {
  const missing = needed(tree, [kCodes, kErrors])
  if (missing.length > 0) return missing
  const definitions = tree.get(kCodes) as string
  const entries = [...definitions.matchAll(/^HOTROW_STATUS\((\d+), *\w+, *"(ERR_\w+)"/gm)]
  const numbers = entries.map(([, number]) => number)
  const ours = entries.map(([, , code]) => code as string)
  const theirs = codesIn(tree.get(kErrors) as string)
  const twice = numbers.filter((number, index) => numbers.indexOf(number) !== index)
  return [
    ...(entries.length === 0 ? [`${kCodes}:1: lists no codes`] : []),
    ...twice.map((number) => `${kCodes}:1: number ${number} is given twice`),
    ...differences(kErrors, ours, theirs, kErrors),
    ...differences(kCodes, theirs, ours, kCodes),
  ]
}
