// `npm run bench`: the store beside a JavaScript Map, lmdb and Redis, in the same run.
//
// Each contender lives in a process of its own that stays for the whole run, and they take turns:
// in every round each measures the same job once, one at a time, and a ratio is the ratio of the
// medians over the rounds. One process each, because types and garbage of one would slow another's
// code; in turns, because a machine's speed drifts, and only what is measured side by side can be
// divided. Latencies are of single calls, one at a time.
//
// Files: jobs.ts (what is measured), workload.ts (rows and keys), ours.ts and peers/ (the
// contenders), measure.ts (the clock), rounds.ts (the turns), report.ts.

import { availableParallelism, loadavg } from 'node:os'
import {
  outputPath,
  positiveInteger,
  readOptions,
  wrongUsage,
} from '../examples/common/arguments.ts'
import { ProgressBar } from '../examples/common/progress.ts'
import { machine, writeResults } from '../examples/common/results.ts'
import { whole } from '../examples/common/table.ts'
import {
  CONTENDERS,
  type ContenderName,
  DIMS,
  type Job,
  jobs,
  nameOf,
  OPERATIONS,
  TARGET_ROWS,
} from './jobs.ts'
import { type Run, results, textReport } from './report.ts'
import { Field, type Outcome } from './rounds.ts'

const FEWEST_ROUNDS = 5

const options = readOptions({
  command: 'npm run bench --',
  about: 'Times the operations of the store beside a JavaScript Map, lmdb and Redis.',
  options: {
    full: { help: 'every batch size, dim, key choice and peer: hours' },
    rows: { value: 'N', help: `rows in the table (default ${whole(TARGET_ROWS)})` },
    rounds: { value: 'N', help: `rounds of every job (default and least ${FEWEST_ROUNDS})` },
    only: { value: 'TEXT', help: 'only jobs with TEXT in their name, as lookupSync/dim64' },
    json: { value: 'FILE', help: 'write the results there as JSON' },
  },
})
const rows = positiveInteger('rows', options.rows, TARGET_ROWS)
const rounds = positiveInteger('rounds', options.rounds, FEWEST_ROUNDS)
if (rounds < FEWEST_ROUNDS) wrongUsage(`--rounds: expected at least ${FEWEST_ROUNDS}`)
const jsonPath = options.json === undefined ? undefined : outputPath('json', options.json)
const chosen = jobs(options.full === true).filter((job) => named(job, options.only ?? ''))
if (chosen.length === 0) wrongUsage(`--only: no job has '${options.only}' in its name`)

function named(job: Job, text: string): boolean {
  return OPERATIONS[job.work].some((operation) => nameOf(operation, job).includes(text))
}

function contendersOf(some: readonly Job[]): ContenderName[] {
  return CONTENDERS.filter((name) => some.some(({ contenders }) => contenders.includes(name)))
}

async function measure(): Promise<Run> {
  const progress = new ProgressBar('benchmarks', chosen.length)
  const field = await Field.start(rows, contendersOf(chosen))
  const outcomes: Outcome[] = []
  for (const dim of DIMS) {
    const ofDim = chosen.filter((job) => job.dim === dim)
    if (ofDim.length === 0) continue
    progress.update(outcomes.length, `filling dim ${dim}`)
    await field.load(dim, contendersOf(ofDim))
    for (const job of ofDim) {
      outcomes.push(await field.play(job, rounds))
      progress.update(outcomes.length, nameOf(job.work, job))
    }
  }
  await field.end()
  return { rows, rounds, outcomes, absent: field.absent }
}

try {
  const [load = 0] = loadavg()
  const busy = load > availableParallelism() / 4
  process.stdout.write(`${machine()}; ${whole(rows)} rows, ${rounds} rounds\n`)
  if (busy)
    process.stdout.write(`Other programs are at work (load ${load.toFixed(1)}): expect noise.\n`)
  process.stdout.write('\n')
  const run = await measure()
  process.stdout.write(`${textReport(run)}\n`)
  if (jsonPath !== undefined) writeResults(jsonPath, results(run))
  process.exit(0)
} catch (error) {
  process.stderr.write(`benchmarks: ${(error as Error).message}\n`)
  process.exit(1)
}
