// Types: the compiler accepts support/right-uses.ts and refuses every marked line of
// support/wrong-uses.ts, as users' compilers do: strict, against the package's declarations.

import { join } from 'node:path'
import ts from 'typescript'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kRoot } from './support/children.ts'

const test = suite('types')

function complaints(...files: string[]): string[] {
  const config = ts.readConfigFile(join(kRoot, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, kRoot)
  const paths = files.map((file) => join(kRoot, 'test/lib/support', file))
  const program = ts.createProgram(paths, { ...options, skipLibCheck: false })
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file ? ts.getLineAndCharacterOfPosition(file, start ?? 0).line + 1 : 0
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

test('right uses compile, and each wrong one is refused', () => {
  assert.equal(complaints('right-uses.ts', 'wrong-uses.ts'), [])
})

test.run()
