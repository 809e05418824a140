// The same model trained by several processes at once, over weights that several servers share:
// data parallel. Each batch is cut into one part a worker. Asynchronous, unless a sync mode is
// chosen: nobody waits for anybody, and the rows of a part may lack what others are pushing at that
// moment.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { connect } from 'hotrow'
import { ProgressBar } from '../common/progress.ts'
import type { Flights } from './data.ts'
import { judge, MODEL_TITLES, type ModelName, type Outcome } from './outcome.ts'
import type { SyncMode } from './settings.ts'
import { StoreFm } from './store-fm.ts'
import { StoreLogistic } from './store-logistic.ts'
import { partSize, type Run } from './train.ts'
import type { Message, Task } from './worker.ts'

export interface Crew {
  readonly workers: number
  readonly servers: number
  /** Batches that each worker looks up ahead; none: it awaits each call. */
  readonly depth: number | undefined
  readonly sync: SyncMode | undefined
}

function start(program: string): ChildProcess {
  const path = fileURLToPath(new URL(program, import.meta.url))
  return fork(path, { serialization: 'advanced' })
}

/** The next message, or what ended the process before. */
function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((done, fail) => {
    const exit = (code: number | null): void => fail(new Error(`a process ended with ${code}`))
    child.once('exit', exit)
    child.once('message', (value) => {
      child.off('exit', exit)
      done(value as T)
    })
  })
}

/** The last message of a worker; `onRows` hears how far it has come. */
function finished(child: ChildProcess, onRows: (rows: number) => void): Promise<Run> {
  return new Promise((done, fail) => {
    child.once('exit', (code) => fail(new Error(`a worker ended with ${code}`)))
    child.on('message', (value) => {
      const said = value as Message
      if (said.kind === 'progress') onRows(said.rows)
      if (said.kind === 'done') done(said)
    })
  })
}

/** What each flight was given, by the worker in whose part it was. */
function merge(runs: readonly Run[], rows: number): Float32Array {
  const merged = new Float32Array(rows)
  const size = partSize({ index: 0, of: runs.length })
  for (let first = 0, part = 0; first < rows; first += size, part++) {
    const { probabilities } = runs[part % runs.length]!
    merged.set(probabilities.subarray(first, Math.min(first + size, rows)), first)
  }
  return merged
}

export async function trainTogether(
  model: ModelName,
  { workers, servers, depth, sync }: Crew,
  flights: Flights,
  data: string | undefined,
): Promise<Outcome> {
  const children: ChildProcess[] = []
  const begin = (program: string): ChildProcess => {
    const child = start(program)
    children.push(child)
    return child
  }
  try {
    const serving = Array.from({ length: servers }, () => begin('./server.ts'))
    const addresses = await Promise.all(serving.map((child) => message<string>(child)))
    const crew = Array.from({ length: workers }, () => begin('./worker.ts'))
    const ready = crew.map((child) => message<Message>(child))
    for (const [index, child] of crew.entries()) {
      const share = { index, of: workers }
      const { rows } = flights
      child.send({ servers: addresses, model, data, rows, share, depth, sync } satisfies Task)
    }
    await Promise.all(ready)
    const bar = new ProgressBar(`${model.toUpperCase()}, ${workers} workers`, flights.rows)
    const rows = new Array<number>(workers).fill(0)
    const runs = crew.map((child, index) =>
      finished(child, (done) => {
        rows[index] = done
        bar.update(Math.min(...rows))
      }),
    )
    for (const child of crew) child.send('go')
    const all = await Promise.all(runs)
    await using store = await connect(addresses)
    const create = model === 'lr' ? StoreLogistic.create : StoreFm.create
    const size = await (await create(store, flights)).size()
    const seconds = Math.max(...all.map((run) => run.seconds))
    const merged = { probabilities: merge(all, flights.rows), seconds }
    return judge(model, 'servers', flights, merged, size)
  } finally {
    for (const child of children) if (child.connected) child.disconnect()
  }
}

/** How far from one trainer with its own store several trainers end, in AUC over all flights. */
export function compare(outcomes: readonly Outcome[], crew: Crew): string {
  const { workers, servers, depth, sync } = crew
  const lines = outcomes.flatMap(({ model, place, aucAll, rowsPerSecond }) => {
    const alone = outcomes.find((one) => one.model === model && one.place === 'store')
    if (place !== 'servers' || alone === undefined) return []
    const apart = aucAll - alone.aucAll
    const speed = rowsPerSecond / alone.rowsPerSecond
    return [
      `${MODEL_TITLES[model]}: AUC ${apart < 0 ? '-' : '+'}${Math.abs(apart).toFixed(4)}, ` +
        `${speed.toFixed(2)} of the rows/s of one process with its own store`,
    ]
  })
  const ahead = depth === undefined ? '' : `, depth ${depth}`
  const how = sync === undefined ? ahead : `${ahead}, ${sync}`
  return [`${workers} workers, ${servers} servers${how}:`, ...lines].join('\n')
}
