// Which flights will be late? One pass over three million flights in time order, each batch
// predicted before it is learned: logistic regression and a factorisation machine, each over flat
// arrays with every id numbered in advance (the limit) and through the store.

import { existsSync } from 'node:fs'
import { open } from 'hotrow'
import {
  choices,
  fail,
  integerBetween,
  outputPath,
  positiveInteger,
  readOptions,
  wrongUsage,
} from '../common/arguments.ts'
import { ProgressBar } from '../common/progress.ts'
import { writeResults } from '../common/results.ts'
import { decimals, whole } from '../common/table.ts'
import { type Flights, findFlights, readFlights } from './data.ts'
import { FlatFm } from './flat-fm.ts'
import { FlatLogistic } from './flat-logistic.ts'
import { type NumberedIds, numberIds } from './ids.ts'
import { judge, type ModelName, type Outcome, type Place } from './outcome.ts'
import { results, textReport, writePage } from './report.ts'
import { SYNC_MODES, type SyncMode } from './settings.ts'
import { StoreFm } from './store-fm.ts'
import { StoreLogistic } from './store-logistic.ts'
import { compare, trainTogether } from './together.ts'
import { type Model, train } from './train.ts'

const ALL_ROWS = 3_000_000

const options = readOptions({
  command: 'npm start --',
  about: 'Learns which flights are late, over flat arrays and through the store.',
  options: {
    rows: { value: 'N', help: 'only the first N flights, for a quick look' },
    models: { value: 'LIST', help: 'lr, fm or both (lr,fm)' },
    workers: { value: 'N', help: 'train by N processes at once, too, the weights with servers' },
    servers: { value: 'N', help: 'how many servers share the weights; default 2' },
    depth: { value: 'N', help: 'workers look up N batches ahead by a pipeline' },
    sync: { value: 'MODE', help: 'whom workers wait for: async, bounded or bulk; default nobody' },
    data: { value: 'FILE', help: 'flights-3m.parquet; default: from the package vega-datasets' },
    report: { value: 'FILE', help: 'where the page goes; default hotrow-flights.report.html' },
    json: { value: 'FILE', help: 'write the results for programs' },
  },
})
const limit = Math.min(positiveInteger('rows', options.rows, ALL_ROWS), ALL_ROWS)
const models = choices('models', options.models, ['lr', 'fm'] as const)
const crew =
  options.workers === undefined
    ? undefined
    : {
        workers: positiveInteger('workers', options.workers, 1),
        servers: positiveInteger('servers', options.servers, 2),
        depth:
          options.depth === undefined ? undefined : integerBetween('depth', options.depth, 0, 1024),
        sync: options.sync === undefined ? undefined : syncMode(options.sync),
      }
const page = outputPath('report', options.report ?? 'hotrow-flights.report.html')
const json = options.json === undefined ? undefined : outputPath('json', options.json)

const flights = await load()
const complete = flights.rows === ALL_ROWS
const ids = numberIds(flights)
const outcomes: Outcome[] = []
for (const model of models) {
  outcomes.push(await runFlat(model, flights, ids), await runStore(model, flights))
  if (crew !== undefined) {
    outcomes.push(await trainTogether(model, crew, flights, options.data))
  }
}
process.stdout.write(`\n${textReport(outcomes, complete)}\n`)
if (crew !== undefined) process.stdout.write(`\n${compare(outcomes, crew)}\n`)

writePage(page, flights, outcomes)
process.stdout.write(`\nLearning curves: ${page}\n`)
if (json !== undefined) writeResults(json, results(flights, outcomes, complete))

function syncMode(text: string): SyncMode {
  const found = SYNC_MODES.find((mode) => mode === text)
  return found ?? wrongUsage(`--sync: expected ${SYNC_MODES.join(', ')}, received '${text}'`)
}

async function load(): Promise<Flights> {
  const path = options.data ?? findFlights()
  if (path === undefined) fail('flights: vega-datasets is not installed; run npm install')
  if (!existsSync(path)) fail(`flights: no such file: ${path}`)
  const bar = new ProgressBar('reading flights', limit)
  try {
    return await readFlights(path, limit, (rows) => bar.update(rows, `${whole(rows)} rows`))
  } catch (error) {
    return fail(`flights: ${path} could not be read: ${(error as Error).message}`)
  }
}

async function runFlat(name: ModelName, data: Flights, numbered: NumberedIds): Promise<Outcome> {
  const model = name === 'lr' ? new FlatLogistic(numbered) : new FlatFm(numbered)
  return await run(name, 'flat', model, data)
}

async function runStore(name: ModelName, data: Flights): Promise<Outcome> {
  const store = await open(':memory:')
  try {
    const create = name === 'lr' ? StoreLogistic.create : StoreFm.create
    return await run(name, 'store', await create(store, data), data)
  } finally {
    await store.close()
  }
}

async function run<B>(
  name: ModelName,
  place: Place,
  model: Model<B>,
  data: Flights,
): Promise<Outcome> {
  const bar = new ProgressBar(`${name.toUpperCase()}, ${place}`, data.rows)
  const trained = await train(model, data, async ({ rows, rowsPerSecond, auc }) => {
    const { ids: held } = await model.size()
    const speed = `${whole(rowsPerSecond)} rows/s`
    bar.update(rows, `${speed}  AUC ${decimals(auc, 4)}  ${whole(held)} ids`)
  })
  return judge(name, place, data, trained, await model.size())
}
