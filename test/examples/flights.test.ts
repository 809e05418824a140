// examples/flights as a user runs it: it ends well, prints and writes what it promises, and says in
// one line what is wrong with its options.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded } from '../lib/support/children.ts'
import { checkHelp, checkWrong, readResults, runExample, valuesOf } from './examples.ts'

const test = suite<{ folder: string }>('flights')

test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
})
test.after((context) => rmSync(context.folder, { recursive: true }))

test('on 60,000 flights it learns, and prints and writes how well', async ({ folder }) => {
  const [json, report] = [join(folder, 'out.json'), join(folder, 'page.html')]
  const options = ['--rows', '60000', '--json', json, '--report', report]
  const ended = await runExample('flights', ...options)
  assertEnded(ended, 0)
  assert.match(ended.output, /AUC/)
  assert.match(ended.output, /rows\/s/)
  assert.ok(ended.output.includes(report), 'says where the page is')
  assert.match(readFileSync(report, 'utf8'), /<svg/)
  const aucs = valuesOf(readResults(json), /auc/i)
  assert.ok(aucs.length >= 2, 'an AUC of each model')
  assert.ok(
    aucs.every((auc) => auc > 0.55 && auc < 1),
    String(aucs),
  )
})

test('through the store a model learns what it learns over flat arrays', async ({ folder }) => {
  const [json, report] = [join(folder, 'lr.json'), join(folder, 'lr.html')]
  const options = ['--rows', '20000', '--models', 'lr', '--json', json, '--report', report]
  assertEnded(await runExample('flights', ...options), 0)
  const aucs = valuesOf(readResults(json), /auc/i)
  assert.ok(aucs.length >= 2, String(aucs))
  assert.ok(Math.max(...aucs) - Math.min(...aucs) < 0.002, String(aucs))
})

test('several workers over two servers learn what one process learns', async ({ folder }) => {
  const [json, report] = [join(folder, 'crew.json'), join(folder, 'crew.html')]
  const crew = ['--workers', '2', '--servers', '2', '--models', 'fm']
  const options = ['--rows', '150000', ...crew, '--json', json, '--report', report]
  const ended = await runExample('flights', ...options)
  assertEnded(ended, 0)
  assert.match(ended.output, /2 workers, 2 servers:\nfactorisation machine: AUC [+-]0\.0/)
  const all = readResults(json).filter(({ name }) => name === 'AUC all rows')
  const [store, servers] = ['store', 'servers'].map(
    (place) => all.find(({ params }) => params['place'] === place)?.value ?? 0,
  )
  assert.ok(Math.abs(store! - servers!) < 0.03, `${store} and ${servers}`)
})

// A step's gradients are summed over both workers before they are applied: what one process does
// with the whole batch, but for the order of the sums.
test('in bulk synchronous mode two workers are one process', async ({ folder }) => {
  const [json, report] = [join(folder, 'bulk.json'), join(folder, 'bulk.html')]
  const crew = ['--workers', '2', '--servers', '2', '--sync', 'bulk']
  const options = ['--rows', '60000', ...crew, '--json', json, '--report', report]
  const ended = await runExample('flights', ...options)
  assertEnded(ended, 0)
  assert.match(ended.output, /2 workers, 2 servers, bulk:\nlogistic regression: AUC/)
  const all = readResults(json).filter(({ name }) => name === 'AUC all rows')
  for (const model of ['lr', 'fm']) {
    const its = all.filter(({ params }) => params['model'] === model)
    const [store, servers] = ['store', 'servers'].map(
      (place) => its.find(({ params }) => params['place'] === place)?.value ?? 0,
    )
    assert.ok(Math.abs(store! - servers!) < 1e-4, `${model}: ${store} and ${servers}`)
  }
})

// One worker, whose calls keep their order: what a batch's rows lack is the same each time.
test('with a pipeline it learns much the same', async ({ folder }) => {
  const [json, report] = [join(folder, 'ahead.json'), join(folder, 'ahead.html')]
  const crew = ['--workers', '1', '--servers', '2', '--depth', '2']
  const options = ['--rows', '400000', ...crew, '--json', json, '--report', report]
  const ended = await runExample('flights', ...options)
  assertEnded(ended, 0)
  assert.match(ended.output, /1 workers, 2 servers, depth 2:\nlogistic regression: AUC/)
  const all = readResults(json).filter(({ name }) => name === 'AUC all rows')
  for (const model of ['lr', 'fm']) {
    const its = all.filter(({ params }) => params['model'] === model)
    const [store, servers] = ['store', 'servers'].map(
      (place) => its.find(({ params }) => params['place'] === place)?.value ?? 0,
    )
    assert.ok(Math.abs(store! - servers!) < 0.05, `${model}: ${store} and ${servers}`)
  }
})

test('--help says what the options are', () =>
  checkHelp('flights', [
    '--rows',
    '--models',
    '--workers',
    '--servers',
    '--depth',
    '--sync',
    '--data',
    '--report',
    '--json',
  ]))

test('wrong options end with 2 and one line that names them', async ({ folder }) => {
  await checkWrong('flights', 2, [
    [['--row', '5'], /--row/],
    [['--rows', '0'], /--rows: expected a whole number above 0, received '0'/],
    [['--workers', '2', '--depth=-1'], /--depth: expected .* from 0 to 1024, received '-1'/],
    [['--workers', '2', '--sync', 'both'], /--sync: expected async, .* received 'both'/],
    [['--models', 'gpt'], /--models: .* received 'gpt'/],
    [['--json', join(folder, 'no', 'such', 'x.json')], /--json: no such folder/],
    [['surprise'], /surprise/],
  ])
})

test('data that is not there ends with 1 and one line', async ({ folder }) => {
  const missing = join(folder, 'none.parquet')
  await checkWrong('flights', 1, [
    [['--data', missing], /^flights: no such file: .*none\.parquet$/m],
  ])
  assert.not.ok(existsSync(missing))
})

test.run()
