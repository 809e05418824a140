/**
 * What goes on behind a store's calls: those that close waits for, and, in stores opened with
 * `durable: 'push'`, commits. A call that has been applied joins the next commit that begins, and
 * all that wait share it.
 */
import { StoreError } from './errors.ts'

/** Calls that have not ended. */
export class Pending {
  readonly #calls = new Set<Promise<void>>()

  add<T>(call: Promise<T>): Promise<T> {
    const ended = call.then(
      () => {},
      () => {},
    )
    this.#calls.add(ended)
    void ended.then(() => this.#calls.delete(ended))
    return call
  }

  /** Does `work` when all of them have ended; at once where there are none. */
  ended<T>(work: () => Promise<T>): Promise<T> {
    return this.#calls.size === 0 ? work() : Promise.all(this.#calls).then(work)
  }
}

/** Applied, but no version has it: another attempt would apply it twice. */
function notDurable(cause: unknown): unknown {
  if (!(cause instanceof StoreError)) return cause
  const fields = { scope: cause.scope, outcome: 'unknown', retryable: false } as const
  const text = `applied, but not on disk before the next commit: ${cause.message}`
  return Object.assign(new StoreError(cause.code, text, fields), { cause })
}

export class GroupCommit {
  readonly #commit: () => Promise<unknown>
  /** Never rejects. */
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  /** @param commit - makes a version of what was applied before the call */
  constructor(commit: () => Promise<unknown>) {
    this.#commit = commit
  }

  /** Resolves as `applied` does, when a version that has it is on disk. */
  async after<T>(applied: Promise<T>): Promise<T> {
    const value = await applied
    await this.#join()
    return value
  }

  /** The one that runs has begun too early. */
  #join(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      const committed = this.#commit().then(
        () => {},
        (error) => {
          throw notDurable(error)
        },
      )
      this.#running = committed.catch(() => {})
      return committed
    })
    return this.#next
  }
}
