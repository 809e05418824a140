// Which places will people go to next? Matrix factorisation on the check-ins of Gowalla: a row for
// each user and each place, learned through the store, judged by ranking all places for all users.

import { availableParallelism } from 'node:os'
import { fail, outputPath, positiveInteger, readOptions, wrongUsage } from '../common/arguments.ts'
import { ProgressBar } from '../common/progress.ts'
import { uniformSource } from '../common/random.ts'
import { writeResults } from '../common/results.ts'
import { decimals, whole } from '../common/table.ts'
import { type Gowalla, readGowalla } from './data.ts'
import { mostPopular } from './popular.ts'
import { Ranker } from './ranker.ts'
import { type Outcome, results, textReport } from './report.ts'
import { EPOCHS, SEED } from './settings.ts'
import { openModel } from './tables.ts'
import { Trainer } from './train.ts'

/** Ranking everyone takes long; in between, a sample tells how it goes. */
const SAMPLE = 2000
const EPOCHS_PER_SAMPLE = 5

const options = readOptions({
  command: 'npm run gowalla --',
  about: 'Learns which places people go to, by matrix factorisation through the store.',
  options: {
    data: { value: 'FOLDER', help: 'holds train.txt and test.txt, or gowalla_m1 with them' },
    epochs: { value: 'N', help: `times to learn from every user; default ${EPOCHS}` },
    threads: { value: 'N', help: 'threads that rank; default one per core' },
    json: { value: 'FILE', help: 'write the results for programs' },
  },
})
const folder = options.data ?? wrongUsage('--data: expected the folder of the data set')
const epochs = positiveInteger('epochs', options.epochs, EPOCHS)
const threads = positiveInteger('threads', options.threads, availableParallelism())
const json = options.json === undefined ? undefined : outputPath('json', options.json)

const data = load(folder)
process.stdout.write(
  `${whole(data.users)} users, ${whole(data.items)} places, ` +
    `${whole(data.train.items.length)} check-ins to learn from, ` +
    `${whole(data.test.items.length)} to find\n`,
)
const outcome = await run(data)
process.stdout.write(`\n${textReport(outcome)}\n`)
if (json !== undefined) writeResults(json, results(outcome))

function load(path: string): Gowalla {
  try {
    return readGowalla(path)
  } catch (error) {
    return fail(`gowalla: ${(error as Error).message}`)
  }
}

async function run(gowalla: Gowalla): Promise<Outcome> {
  const model = await openModel()
  const ranker = await Ranker.start(gowalla, threads)
  try {
    const trainer = new Trainer(model, gowalla, epochs)
    const sample = sampleOf(gowalla.users)
    let trainingSeconds = 0
    let positives = 0
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const learned = await learn(trainer, epoch, gowalla.users)
      trainingSeconds += learned.seconds
      positives += learned.positives
      if (epoch % EPOCHS_PER_SAMPLE !== 0 || epoch === epochs) continue
      const { recall, ndcg } = await ranker.rank(sample)
      const scores = `Recall@20 ${decimals(recall, 4)}  NDCG@20 ${decimals(ndcg, 4)}`
      const who = `${whole(sample.length)} of the users`
      process.stdout.write(`after ${epoch} of ${epochs} epochs: ${scores} (${who})\n`)
    }
    const bar = new ProgressBar('ranking', gowalla.users)
    const everyone = Uint32Array.from({ length: gowalla.users }, (_, user) => user)
    const started = performance.now()
    const scores = await ranker.rank(everyone, (done) => bar.update(done, `${whole(done)} users`))
    return {
      epochs,
      popular: mostPopular(gowalla),
      model: scores,
      trainingSeconds,
      positivesPerSecond: positives / trainingSeconds,
      rankingSeconds: (performance.now() - started) / 1000,
    }
  } finally {
    await ranker.close()
    await model.store.close()
  }
}

async function learn(
  trainer: Trainer,
  epoch: number,
  users: number,
): Promise<{ seconds: number; positives: number }> {
  const bar = new ProgressBar(`epoch ${epoch} of ${epochs}`, users)
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1000
  let learned = 0
  let positives = 0
  let losses = 0
  let reported = 0
  await trainer.epoch((batchUsers, batchPositives, loss) => {
    learned += batchUsers
    positives += batchPositives
    losses += loss * batchPositives
    if (learned < users && seconds() - reported < 0.2) return
    reported = seconds()
    const speed = `${whole(positives / reported)} interactions/s`
    bar.update(learned, `${speed}  loss ${decimals(losses / positives, 3)}`)
  })
  return { seconds: seconds(), positives }
}

function sampleOf(users: number): Uint32Array {
  const random = uniformSource(SEED)
  return Uint32Array.from({ length: Math.min(SAMPLE, users) }, () => Math.floor(random() * users))
}
