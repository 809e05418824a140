// Who earns above 50,000 a year? A small deep network on UCI Adult, learned in one pass through
// the store and judged by people it has not seen.

import { open } from 'hotrow'
import { fail, outputPath, readOptions, wrongUsage } from '../common/arguments.ts'
import { auc, logLoss, RunningAuc } from '../common/metrics.ts'
import { ProgressBar } from '../common/progress.ts'
import { writeResults } from '../common/results.ts'
import { decimals, textTable, whole } from '../common/table.ts'
import { type Adult, type People, readAdult } from './data.ts'
import { Model } from './model.ts'
import { BATCH_SIZE } from './settings.ts'

const REQUIRED_AUC = 0.89
/** What PERSIA's example asserts after one pass. */
const PERSIA_AUC = 0.8928

const options = readOptions({
  command: 'npm run adult --',
  about: 'Learns who earns above 50,000 a year, by a small deep network through the store.',
  options: {
    data: { value: 'FOLDER', help: 'holds adult.data and adult.test, or adult with them' },
    json: { value: 'FILE', help: 'write the results for programs' },
  },
})
const folder = options.data ?? wrongUsage('--data: expected the folder of the data set')
const json = options.json === undefined ? undefined : outputPath('json', options.json)

const { train, test } = load(folder)
const store = await open(':memory:')
const model = await Model.create(store)
const seconds = await learn(train)
const probabilities = await predict(test)
await store.close()
report(auc(probabilities, test.labels), logLoss(probabilities, test.labels), seconds)

function load(path: string): Adult {
  try {
    return readAdult(path)
  } catch (error) {
    return fail(`adult: ${(error as Error).message}`)
  }
}

/** One pass. Each batch is predicted, then learned from. */
async function learn(people: People): Promise<number> {
  const bar = new ProgressBar('learning', people.count)
  const running = new RunningAuc()
  const started = performance.now()
  for (let start = 0; start < people.count; start += BATCH_SIZE) {
    const end = Math.min(start + BATCH_SIZE, people.count)
    const chances = (await model.predict(people, start, end)).map(sigmoid)
    for (const [i, chance] of chances.entries()) running.add(chance, people.labels[start + i]!)
    await model.learn(
      people,
      start,
      end,
      chances.map((p, i) => p - people.labels[start + i]!),
    )
    const speed = `${whole((end / (performance.now() - started)) * 1000)} rows/s`
    bar.update(end, `${speed}  AUC ${decimals(running.value(), 4)}`)
  }
  return (performance.now() - started) / 1000
}

async function predict(people: People): Promise<Float32Array> {
  const probabilities = new Float32Array(people.count)
  for (let start = 0; start < people.count; start += BATCH_SIZE) {
    const end = Math.min(start + BATCH_SIZE, people.count)
    probabilities.set((await model.predict(people, start, end)).map(sigmoid), start)
  }
  return probabilities
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit))
}

function report(testAuc: number, testLogLoss: number, time: number): void {
  const speed = train.count / time
  const table = textTable(
    ['test rows', 'AUC', 'logloss'],
    [
      ['required', decimals(REQUIRED_AUC, 4), ''],
      ['asserted by PERSIA', decimals(PERSIA_AUC, 4), ''],
      ['through the store', decimals(testAuc, 4), decimals(testLogLoss, 4)],
    ],
  )
  const pass = `one pass over ${whole(train.count)} rows in ${decimals(time, 1)} s`
  process.stdout.write(`${table}\n\n${pass}, ${whole(speed)} rows/s\n`)
  if (json === undefined) return
  const params = { passes: 1, batchSize: BATCH_SIZE }
  writeResults(json, [
    {
      name: 'AUC test',
      params,
      value: testAuc,
      unit: '',
      ratios: { required: testAuc / REQUIRED_AUC, PERSIA: testAuc / PERSIA_AUC },
    },
    { name: 'logloss test', params, value: testLogLoss, unit: '', ratios: {} },
    { name: 'training speed', params, value: speed, unit: 'rows/s', ratios: {} },
    { name: 'training time', params, value: time, unit: 's', ratios: {} },
  ])
}
