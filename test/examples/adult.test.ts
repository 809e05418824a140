// examples/adult as a user runs it: one pass over the data reaches the score that it promises.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kData, whyNoData } from '../data/data.ts'
import { assertEnded } from '../lib/support/children.ts'
import { checkHelp, checkWrong, readResults, runExample, valuesOf } from './examples.ts'

const test = suite<{ folder: string }>('adult')

test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
})
test.after((context) => rmSync(context.folder, { recursive: true }))

const withData = whyNoData('adult/adult.data.zst') === undefined ? test : test.skip

withData('one pass reaches a test AUC of 0.89', async ({ folder }) => {
  const json = join(folder, 'out.json')
  const ended = await runExample('adult', '--data', kData, '--json', json)
  assertEnded(ended, 0)
  assert.match(ended.output, /through the store +0\.\d{4}/)
  const [auc] = valuesOf(readResults(json), /^AUC test$/)
  assert.ok(auc !== undefined && auc >= 0.89 && auc < 1, `AUC ${auc}`)
})

test('--help says what the options are', () => checkHelp('adult', ['--data', '--json']))

test('wrong options and missing data end in one line', async ({ folder }) => {
  await checkWrong('adult', 2, [
    [[], /--data/],
    [['--datum', folder], /--datum/],
  ])
  await checkWrong('adult', 1, [[['--data', folder], /^adult: /]])
})

test.run()
