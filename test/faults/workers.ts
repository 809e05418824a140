// Worker threads for the tests of this folder, all running programs/worker.mjs.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export interface Task {
  task: 'push' | 'count' | 'open' | 'busy'
  path: string
  [name: string]: unknown
}

/**
 * Listened for from the start: a worker that says something and ends may have both told in one turn
 * of the event loop, before whoever waited for the first can ask for the second.
 */
const endings = new WeakMap<Worker, Promise<number>>()

export function startWorker(task: Task): Worker {
  const program = new URL('programs/worker.mjs', import.meta.url)
  // Without the loader for TypeScript, which would take longer to start than the test.
  const worker = new Worker(program, { workerData: task, execArgv: [] })
  const ending = once(worker, 'exit').then(([code]) => code as number)
  ending.catch(() => {})
  endings.set(worker, ending)
  return worker
}

/** The worker's next message. */
export async function nextMessage(worker: Worker): Promise<unknown> {
  const failed = once(worker, 'error').then(([error]) => {
    throw error
  })
  const heard = once(worker, 'message').then(([message]) => message)
  failed.catch(() => {})
  return await Promise.race([heard, failed])
}

/** The exit code of a worker of `startWorker` that ends by itself; throws what it threw. */
export async function ended(worker: Worker): Promise<number> {
  const ending = endings.get(worker)
  if (!ending) throw new Error('not a worker of startWorker')
  return await ending
}
