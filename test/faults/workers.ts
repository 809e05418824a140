// Worker threads for the tests of this folder, all running programs/worker.mjs.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export interface Task {
  task: 'push' | 'count' | 'open' | 'busy'
  path: string
  [name: string]: unknown
}

export function startWorker(task: Task): Worker {
  const program = new URL('programs/worker.mjs', import.meta.url)
  // Without the loader for TypeScript, which would take longer to start than the test.
  return new Worker(program, { workerData: task, execArgv: [] })
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

/** The exit code of a worker that ends by itself; throws what it threw. */
export async function ended(worker: Worker): Promise<number> {
  const [code] = await once(worker, 'exit')
  return code as number
}
