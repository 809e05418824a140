// Finds functions in TypeScript and JavaScript by the compiler's own parser.

import ts from 'typescript'
import type { FunctionSpan } from './cpp.ts'

function nameOf(node: ts.Node, source: ts.SourceFile): string {
  const owner = ts.isVariableDeclaration(node.parent) ? node.parent : node
  const name = (owner as { name?: ts.Node }).name
  return name?.getText(source) ?? 'a function'
}

/** Every function with a body, nested ones too. */
export function scriptFunctions(path: string, text: string): FunctionSpan[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const lineAt = (offset: number) => source.getLineAndCharacterOfPosition(offset).line + 1
  const found: FunctionSpan[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && (node as { body?: ts.Node }).body !== undefined) {
      const line = lineAt(node.getStart(source))
      found.push({ name: nameOf(node, source), line, lines: lineAt(node.getEnd()) - line + 1 })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}
