// examples/gowalla as a user runs it, on a made-up town small enough for a test: people of each
// quarter go to the places of their quarter, which popularity cannot know and rows can.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomNumbers } from '../lib/support/arrays.ts'
import { assertEnded } from '../lib/support/children.ts'
import { checkHelp, checkWrong, readResults, runExample } from './examples.ts'

const test = suite<{ folder: string }>('gowalla')
const kQuarters = 8
const kPlaces = 40
const kPeople = 600

/** Lines `user item item …` to learn from and to find: most visits within the user's quarter. */
function town(): { train: string; test: string } {
  const next = randomNumbers(7)
  const lines = { train: '', test: '' }
  for (let user = 0; user < kPeople; user++) {
    const quarter = user % kQuarters
    const places = new Set<number>()
    while (places.size < 20) {
      const where = next() < 0.9 ? quarter : Math.floor(next() * kQuarters)
      places.add(where * kPlaces + Math.floor(next() * kPlaces))
    }
    const visits = [...places]
    lines.train += `${user} ${visits.slice(0, 15).join(' ')}\n`
    lines.test += `${user} ${visits.slice(15).join(' ')}\n`
  }
  return lines
}

test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const { train, test: found } = town()
  writeFileSync(join(context.folder, 'train.txt'), train)
  writeFileSync(join(context.folder, 'test.txt'), found)
})
test.after((context) => rmSync(context.folder, { recursive: true }))

test('it learns where people go, and prints and writes how well', async ({ folder }) => {
  const json = join(folder, 'out.json')
  const options = ['--data', folder, '--epochs', '15', '--json', json]
  const ended = await runExample('gowalla', ...options)
  assertEnded(ended, 0)
  assert.match(ended.output, /Recall@20/)
  assert.match(ended.output, /NDCG@20/)
  const recalls = readResults(json).filter(({ name }) => name === 'Recall@20')
  const of = (model: RegExp) =>
    recalls.find(({ params }) => model.test(String(params['model'])))?.value ?? Number.NaN
  const [popular, learned] = [of(/popular/), of(/matrix/)]
  assert.ok(learned > 2 * popular && learned < 1, `${learned} against ${popular}`)
})

test('--help says what the options are', () =>
  checkHelp('gowalla', ['--data', '--epochs', '--threads', '--json']))

test('wrong options and missing data end in one line', async ({ folder }) => {
  await checkWrong('gowalla', 2, [
    [[], /--data/],
    [['--data', folder, '--epochs', '0'], /--epochs: expected a whole number above 0/],
  ])
  await checkWrong('gowalla', 1, [[['--data', join(folder, 'none')], /^gowalla: /]])
})

test.run()
