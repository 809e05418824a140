// examples/flights as a user runs it: it ends well, prints and writes what it promises, and says in
// one line what is wrong with its options.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, type Ended, runNode } from '../lib/support/children.ts'

const test = suite<{ folder: string }>('flights')

test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
})
test.after((context) => rmSync(context.folder, { recursive: true }))

const run = (...options: string[]): Promise<Ended> =>
  runNode(['--import', 'tsx', 'examples/flights/main.ts', ...options], { timeoutMs: 60_000 })

interface Result {
  name: string
  params: Record<string, unknown>
  value: number | null
  reason?: string
  unit: string
  ratios: Record<string, number>
}

test('on 60,000 flights it learns, and prints and writes how well', async ({ folder }) => {
  const [json, report] = [join(folder, 'out.json'), join(folder, 'page.html')]
  const ended = await run('--rows', '60000', '--json', json, '--report', report)
  assertEnded(ended, 0)
  assert.match(ended.output, /AUC/)
  assert.match(ended.output, /rows\/s/)
  assert.ok(ended.output.includes(report), 'says where the page is')
  assert.match(readFileSync(report, 'utf8'), /<svg/)

  const written = JSON.parse(readFileSync(json, 'utf8'))
  assert.equal(Object.keys(written).sort(), ['commit', 'machine', 'results'])
  const results = written.results as Result[]
  for (const { name, params, value, reason, unit, ratios } of results) {
    assert.type(name, 'string')
    assert.type(unit, 'string')
    assert.type(params, 'object')
    if (value === null) assert.type(reason, 'string', name)
    else assert.ok(Number.isFinite(value), name)
    assert.ok(Object.values(ratios).every(Number.isFinite), name)
  }
  const aucs = results.filter(({ name, value }) => /auc/i.test(name) && value !== null)
  assert.ok(aucs.length >= 2, 'an AUC of each model')
  for (const { name, value } of aucs) {
    assert.ok(value !== null && value > 0.55 && value < 1, `${name}: ${value}`)
  }
})

test('through the store a model learns what it learns over flat arrays', async ({ folder }) => {
  const json = join(folder, 'lr.json')
  const report = join(folder, 'lr.html')
  const options = ['--rows', '20000', '--models', 'lr', '--json', json, '--report', report]
  assertEnded(await run(...options), 0)
  const { results } = JSON.parse(readFileSync(json, 'utf8')) as { results: Result[] }
  const values = results
    .filter(({ name, value }) => /auc/i.test(name) && value !== null)
    .map(({ value }) => value as number)
  assert.ok(values.length >= 2, JSON.stringify(results))
  const apart = Math.max(...values) - Math.min(...values)
  assert.ok(apart < 0.002, `AUC ${apart} apart: ${values}`)
})

test('--help says what the options are', async () => {
  const ended = await run('--help')
  assertEnded(ended, 0)
  for (const option of ['--rows', '--models', '--data', '--report', '--json']) {
    assert.ok(ended.output.includes(option), option)
  }
})

test('wrong options end with 2 and one line that names them', async ({ folder }) => {
  const wrong: [string[], RegExp][] = [
    [['--row', '5'], /--row/],
    [['--rows', '0'], /--rows: expected a whole number above 0, received '0'/],
    [['--rows', 'many'], /--rows: .* received 'many'/],
    [['--rows'], /--rows/],
    [['--models', 'gpt'], /--models: .* received 'gpt'/],
    [['--json', join(folder, 'no', 'such', 'x.json')], /--json: no such folder/],
    [['surprise'], /surprise/],
  ]
  for (const [options, message] of wrong) {
    const ended = await run(...options)
    assertEnded(ended, 2)
    assert.match(ended.output, message)
    assert.is(ended.output.trim().split('\n').length, 1, ended.output)
  }
})

test('data that is not there ends with 1 and one line', async ({ folder }) => {
  const missing = join(folder, 'none.parquet')
  const ended = await run('--data', missing)
  assertEnded(ended, 1)
  assert.match(ended.output.trim(), /^flights: no such file: .*none\.parquet$/)
  assert.not.ok(existsSync(missing))
})

test.run()
