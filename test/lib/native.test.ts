// Loading the addon: once a process, by several import paths, and what is said when there is none.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, kRoot, runNode, runProgram } from './support/children.ts'

const test = suite('native')

test('without a binary the error lists what was tried and what helps', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  cpSync(join(kRoot, 'dist'), join(folder, 'dist'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const load = (path: string) =>
    runNode([join(folder, 'dist/index.js')], { env: { HOTROW_NATIVE_PATH: path } })
  const [bare, chosen] = [await load(''), await load(join(folder, 'none.node'))]
  rmSync(folder, { recursive: true })
  for (const { output, ...ended } of [bare, chosen]) {
    assertEnded({ output, ...ended }, 1)
    assert.match(output, /Error: hotrow: no native binary could be loaded/)
    assert.match(output, /npm i --include=optional/)
    assert.match(output, /npm run build/)
  }
  for (const tried of [/^ {2}this package: /m, /^ {2}the platform package: /m]) {
    assert.match(bare.output, tried)
  }
  assert.match(chosen.output, /^ {2}HOTROW_NATIVE_PATH: .*none\.node/m)
})

test('require gives the same module as import', async () => {
  const ended = await runProgram(`
    import { createRequire } from 'node:module'
    import * as imported from 'hotrow'
    const required = createRequire(process.cwd() + '/x.js')('hotrow')
    if (required.open !== imported.open) throw new Error('two copies')
    if (required.StoreError !== imported.StoreError) throw new Error('two classes')
  `)
  assertEnded(ended, 0)
})

test('a copy of the package at another path shares stores in one process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  cpSync(join(kRoot, 'dist'), join(folder, 'dist'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const copy = join(folder, 'dist/index.js')
  const native = process.env['HOTROW_NATIVE_PATH'] || join(kRoot, 'build/Release/hotrow.node')
  const ended = await runProgram(
    `
    import * as ours from 'hotrow'
    import * as copy from ${JSON.stringify(copy)}
    if (ours.open === copy.open) throw new Error('one module')
    const [a, b] = [await ours.open(':memory:x'), await copy.open(':memory:x')]
    await a.table('t', { dim: 1 })
    if ((await b.tables()).length !== 1) throw new Error('two stores')
    const error = await b.drop('none').catch((error) => error)
    if (!(error instanceof ours.StoreError)) throw new Error('a foreign StoreError')
    await a.close()
    await b.close()
    `,
    { env: { HOTROW_NATIVE_PATH: native } },
  )
  rmSync(folder, { recursive: true })
  assertEnded(ended, 0)
})

test.run()
