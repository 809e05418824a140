// The command line: results, JSON, errors and exit codes, each in a process of its own.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { adam, open } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keyRange, keys, same } from './support/arrays.ts'
import { writeFolder } from './support/foreign.ts'
import { sameStores } from './support/stores.ts'

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const test = suite<{ folder: string; path: string }>('cli')

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  context.path = join(context.folder, 's')
  await using store = await open(context.path)
  const table = await store.table('user', { dim: 3, optimizer: adam() })
  await table.push(keyRange(0, 1234), filled(3702, 1))
  await store.dense('w', { shape: [2, 2] })
  await store.commit({ cursor: 'day 3' })
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const child = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  return { code: child.status, out: child.stdout, err: child.stderr }
}

function succeeds(...args: string[]): string {
  const { code, out, err } = run(...args)
  assert.is(code, 0, err)
  assert.is(err, '', 'no progress where there is no terminal')
  return out
}

function fails(code: number, message: RegExp, ...args: string[]): void {
  const result = run(...args)
  assert.is(result.code, code, result.err)
  assert.match(result.err, message)
  assert.is(result.out, '')
}

test('--version and --help', () => {
  const { version } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { version: string }
  assert.is(succeeds('--version'), `${version}\n`)
  assert.match(succeeds('--help'), /^usage: hotrow COMMAND/)
  for (const command of ['inspect', 'versions', 'diff', 'verify', 'rollback', 'export']) {
    assert.match(succeeds(command, '--help'), new RegExp(`^usage: hotrow ${command} PATH`))
  }
})

test('wrong usage exits with 2 and says what is wrong', ({ path }) => {
  fails(2, /expected a command: inspect/)
  fails(2, /there is no command 'inspct'/, 'inspct')
  fails(2, /PATH is missing\nTry: hotrow inspect --help/, 'inspect')
  fails(2, /what is 'b'\?/, 'inspect', path, 'b')
  fails(2, /Unknown option '--what'/, 'inspect', path, '--what')
  fails(2, /--format is missing/, 'export', path, '--out', 'x')
  fails(2, /--out is missing/, 'export', path, '--format', 'npy')
  fails(2, /--format: expected safetensors, npy, arrow/, 'export', path, '--format', 'csv')
  fails(2, /FILE is missing/, 'import', path)
  fails(2, /--dim: expected a number/, 'import', path, 'x', '--dim', 'many')
  fails(2, /--options: expected JSON/, 'import', path, 'x', '--options', '{')
  fails(2, /--options: expected a JSON object/, 'import', path, 'x', '--options', '[]')
  fails(2, /--learning-rate: goes with --optimizer/, 'import', path, 'x', '--learning-rate', '1')
})

test('what is not there is not made', ({ folder, path }) => {
  const none = join(folder, 'none')
  fails(1, /none: there is no store/, 'inspect', none)
  fails(1, /no store/, 'export', none, '--format', 'npy', '--out', join(folder, 'x'))
  fails(1, /no store/, 'import', none, path)
  fails(1, /ENOENT/, 'import', none, join(folder, 'file'), '--create')
  fails(1, /ERR_NOT_FOUND/, 'inspect', none, '--json')
  assert.not(existsSync(none))
})

test('inspect shows a store', ({ path }) => {
  const people = succeeds('inspect', path)
  assert.match(people, /version 1 of 20.*, cursor "day 3"/)
  assert.match(people, /\nuser +table +3 +1,234\nw +dense +2 x 2 +0\n/)
  const shown = JSON.parse(succeeds('inspect', path, '--json', '--options'))
  assert.is(shown.version.cursor, 'day 3')
  assert.equal(
    shown.parameters.map((each: { name: string }) => each.name),
    ['user', 'w'],
  )
  assert.is(shown.parameters[0].options.optimizer.kind, 'adam')
})

test('a store that is open elsewhere is read, and not changed', async ({ folder, path }) => {
  await using store = await open(path)
  assert.match(succeeds('inspect', path), /version 1 of/)
  const file = join(folder, 'out')
  succeeds('export', path, '--format', 'safetensors', '--out', file)
  fails(1, new RegExp(`in process ${process.pid}`), 'import', path, file)
  assert.is(store.closed, false)
})

for (const format of ['safetensors', 'npy', 'arrow']) {
  test(`export and import by ${format}`, async ({ folder, path }) => {
    const out = join(folder, 'out')
    assert.match(succeeds('export', path, '--format', format, '--out', out), /user +1,234 +yes/)
    const other = join(folder, 'other')
    const report = JSON.parse(succeeds('import', other, out, '--create', '--json'))
    assert.is(report.format, format)
    assert.is(report.version, 1)
    assert.equal(report.tables, [{ name: 'user', rows: 1234, state: true }])
    await using a = await open(other)
    await using b = await open(path)
    await sameStores(a, b)
  })
}

test('import makes a table as it is told and keeps the cursor', async ({ folder, path }) => {
  const file = writeFolder(join(folder, 'ctr'), {
    key: BigInt64Array.of(7n),
    emb_vector: floats(1, 2),
  })
  const into = ['import', path, file, '--table', 't']
  fails(1, /dim 2, options.dim is 3/, ...into, '--dim', '3')
  fails(2, /optimizer.kind/, ...into, '--optimizer', 'magic')
  fails(1, /no name/, 'import', path, file)
  const made = ['--optimizer', 'adagrad', '--learning-rate', '0.5', '--options', '{"hotKeys":4}']
  succeeds(...into, '--dim', '2', '--value-type', 'f16', ...made)
  await using store = await open(path)
  assert.is((await store.version()).cursor, 'day 3')
  assert.is((await store.version()).version, 2)
  const { options } = await store.table('t')
  assert.equal(options.optimizer, { kind: 'adagrad', learningRate: 0.5 })
  assert.is(options.valueType, 'f16')
  assert.is(options.hotKeys, 4)
  same(await (await store.table('t')).lookup(keys(7)), [1, 2])
})

test('without apache-arrow only arrow is refused', ({ folder, path }) => {
  const hook =
    'export const resolve = (name, context, next) => { ' +
    "if (name === 'apache-arrow') throw Error('blocked'); return next(name, context) }"
  const hooked =
    "import { register } from 'node:module'; " +
    `register('data:text/javascript,${encodeURIComponent(hook).replaceAll("'", '%27')}')`
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(hooked)}`]
  const without = (...args: string[]) =>
    spawnSync(process.execPath, [...flags, program, ...args], { encoding: 'utf8' })
  const arrow = without('export', path, '--format', 'arrow', '--out', join(folder, 'a'))
  assert.is(arrow.status, 1)
  assert.match(arrow.stderr, /npm install apache-arrow \(blocked\)/)
  const npy = without('export', path, '--format', 'npy', '--out', join(folder, 'n'))
  assert.is(npy.status, 0, npy.stderr)
})

test('only some tables are exported', ({ folder, path }) => {
  const args = ['export', path, '--format', 'npy', '--out', join(folder, 'x'), '--json']
  fails(1, /nothing is called 'y'/, ...args, '--table', 'y')
  const report = JSON.parse(succeeds(...args, '--table', 'user', '--no-state'))
  assert.equal(report.tables, [{ name: 'user', rows: 1234, state: false }])
  assert.equal(report.dense, [])
  fails(1, /not empty/, ...args)
})

test.run()
