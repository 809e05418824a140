// What TypeScript may import: lib/ only Node, the loader and itself, so that a consumer gets one
// runtime dependency, and optional peers where they are asked for; examples only what a user has,
// so that they can be copied.

import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'
import { matching, type Rule } from './tree.ts'

/** [specifier, line] of every import, export-from and dynamic import with a literal. */
function imports(path: string, text: string): [string, number][] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: [string, number][] = []
  const note = (node: ts.Node | undefined) => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return
    found.push([node.text, source.getLineAndCharacterOfPosition(node.getStart()).line + 1])
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) note(node.moduleSpecifier)
    const dynamic =
      ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
    if (dynamic) note(node.arguments[0])
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      note(node.argument.literal)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

type Allowed = (specifier: string, path: string) => boolean

function importRule(folder: string, bareAllowed: Allowed): Rule {
  return (tree) => {
    const found: string[] = []
    for (const [path, text] of matching(tree, new RegExp(`^${folder}/.*\\.(ts|mjs|js)$`))) {
      for (const [specifier, line] of imports(path, text)) {
        const local = specifier.startsWith('.')
        const inside = normalize(join(dirname(path), specifier)).startsWith(`${folder}/`)
        const allowed = local ? inside : bareAllowed(specifier, path)
        if (!allowed) found.push(`${path}:${line}: may not import '${specifier}'`)
        if (local && !/\.(ts|json)$/.test(specifier)) {
          found.push(`${path}:${line}: '${specifier}' must end in .ts`)
        }
      }
    }
    return found
  }
}

/** Optional peers, and the files that may know of them; they are loaded on demand. */
const kOptionalPeers: Record<string, RegExp> = {
  '@aws-sdk/client-s3': /^lib\/objects\/s3\.ts$/,
  'apache-arrow': /^lib\/transfer\/arrow(-read)?\.ts$/,
  ioredis: /^lib\/remote\/redis-cluster\.ts$/,
}

export const libImports: Rule = importRule('lib', (specifier, path) => {
  const isOurs = specifier.startsWith('node:') || specifier === 'node-gyp-build'
  return isOurs || kOptionalPeers[specifier]?.test(path) === true
})

/** `hotrow` itself, never its files; npm packages and Node. */
export const exampleImports: Rule = importRule('examples', (specifier) => {
  return specifier === 'hotrow' || !/^(hotrow\/|\/|file:)/.test(specifier)
})

/** `any` switches checking off for whoever uses the value. */
export const noAny: Rule = (tree) => {
  const found: string[] = []
  for (const [path, text] of matching(tree, /^lib\/.*\.ts$/)) {
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
    const visit = (node: ts.Node): void => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart())
        found.push(`${path}:${line + 1}: 'any' in lib`)
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return found
}
