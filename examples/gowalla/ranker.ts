// Ranks all items for many users, on several threads.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Gowalla } from './data.ts'
import { addSums, NO_USERS, type RankingSums } from './ranking.ts'

/** Users of one message: small enough that the threads end together. */
const USERS_PER_MESSAGE = 256

export interface Scores {
  readonly recall: number
  readonly ndcg: number
}

export class Ranker {
  readonly #workers: readonly Worker[]

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers
  }

  /** Starts the threads and waits until each has opened the store. */
  static async start(data: Gowalla, threads: number): Promise<Ranker> {
    const file = new URL('./ranking-thread.mjs', import.meta.url)
    const workers = Array.from({ length: threads }, () => new Worker(file, { workerData: data }))
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    return new Ranker(workers)
  }

  /** Ranks by the rows that the store holds now. `onUsers` is told how many users are done. */
  async rank(users: Uint32Array, onUsers: (done: number) => void = () => {}): Promise<Scores> {
    let next = 0
    let done = 0
    const parts = this.#workers.map(async (worker) => {
      let sums: RankingSums = NO_USERS
      while (next < users.length) {
        const some = users.slice(next, next + USERS_PER_MESSAGE)
        next += some.length
        worker.postMessage(some)
        // `once` rejects when the thread has thrown.
        const [part] = (await once(worker, 'message')) as [RankingSums]
        sums = addSums(sums, part)
        done += some.length
        onUsers(done)
      }
      return sums
    })
    const sums = (await Promise.all(parts)).reduce(addSums, NO_USERS)
    return { recall: sums.recall / sums.users, ndcg: sums.ndcg / sums.users }
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#workers.map((worker) => {
        const ended = once(worker, 'exit')
        worker.postMessage(null)
        return ended
      }),
    )
  }
}
