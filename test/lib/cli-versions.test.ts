// The command line's way to versions: listing, comparing, checking, going back.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange } from './support/arrays.ts'

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const test = suite<{ folder: string; path: string }>('cli versions')
const options = { dim: 2, optimizer: sum() }

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  context.path = join(context.folder, 's')
  await using store = await open(context.path)
  const table = await store.table('t', options)
  await table.push(keyRange(0, 100), filled(200, 1))
  await store.commit({ name: 'good', cursor: 7 })
  await table.push(keyRange(90, 30), filled(60, 1))
  await table.erase(keyRange(0, 5))
  await store.commit()
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const child = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  return { code: child.status, out: child.stdout, err: child.stderr }
}

function json(...args: string[]): Record<string, unknown> {
  const { code, out, err } = run(...args, '--json')
  assert.is(code, 0, err)
  return JSON.parse(out)
}

test('versions lists what is kept, beside a writer', async ({ path }) => {
  await using writer = await open(path)
  const { code, out } = run('versions', path)
  assert.is(code, 0)
  assert.match(out, /^version +committed +rows +bytes +names/)
  assert.match(out, /\n +1 +20\S+Z +100 +[\d,]+ +good +7\n +2 +20\S+Z +115 /)
  const { versions } = json('versions', path) as { versions: { version: number }[] }
  assert.equal(
    versions.map(({ version }) => version),
    [1, 2],
  )
  assert.is((await writer.version()).version, 2)
})

test('diff counts rows by table', ({ path }) => {
  const { tables } = json('diff', path, 'good', '2')
  assert.equal(tables, [{ name: 't', added: 20, removed: 5, changed: 10 }])
  assert.match(run('diff', path, '2', '2').out, /^table +added +removed +changed\nt +0 +0 +0\n$/)
  const none = run('diff', path, '1', '9')
  assert.is(none.code, 1)
  assert.match(none.err, /does not keep version 9/)
  assert.is(run('diff', path, '1').code, 2)
})

test('rollback makes a new version', async ({ path }) => {
  assert.match(run('rollback', path, 'good').out, /^version 3 has the rows of 1\n$/)
  await using store = await open(path)
  const table = await store.table('t', options)
  assert.equal(await table.lookup(keyRange(0, 100)), filled(200, 1))
  assert.is((await store.version()).cursor, 7)
  const locked = run('rollback', path, '2')
  assert.is(locked.code, 1)
  assert.match(locked.err, new RegExp(`in process ${process.pid}`))
  assert.match(run('rollback', path, 'bad').err, /./)
})

test('verify reads every checksum, compact keeps every row', ({ path }) => {
  assert.is(run('compact', path).code, 0)
  assert.is(run('verify', path).out, 'intact: versions 1, 2\n')
  const delta = join(path, 'versions', '1'.padStart(20, '0'), 'delta')
  const file = readdirSync(delta).find((name) => name.endsWith('.sst')) as string
  writeFileSync(join(delta, file), 'x', { flag: 'r+' })
  const { code, err } = run('verify', path)
  assert.is(code, 1)
  assert.match(err, /version 1: .*checksum does not fit/)
})

test.run()
