/** Looks at a key of etcd whenever it may have changed, and now and then without a reason. */
import type { Etcd } from './etcd.ts'

const shortestPauseMs = 50
const longestPauseMs = 2000

export class Watcher {
  readonly #etcd: Etcd
  readonly #key: string
  readonly #look: () => Promise<void>
  readonly #stopped = new AbortController()
  readonly #period: NodeJS.Timeout
  #looking = false
  #again = false

  /**
   * `look` must not reject. Nothing of this keeps the process alive.
   *
   * @param periodMs - between looks without a reason: a member of etcd that hangs says nothing
   */
  constructor(etcd: Etcd, key: string, periodMs: number, look: () => Promise<void>) {
    this.#etcd = etcd
    this.#key = key
    this.#look = look
    this.#period = setInterval(() => this.#changed(), periodMs)
    this.#period.unref()
    void this.#watch()
  }

  stop(): void {
    clearInterval(this.#period)
    this.#stopped.abort()
  }

  /** One look at a time; what changed during one is a reason for the next. */
  #changed(): void {
    if (this.#stopped.signal.aborted) return
    this.#again = true
    if (this.#looking) return
    this.#looking = true
    void this.#lookUntilSeen()
  }

  async #lookUntilSeen(): Promise<void> {
    while (this.#again && !this.#stopped.signal.aborted) {
      this.#again = false
      await this.#look()
    }
    this.#looking = false
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped
    for (let pauseMs = shortestPauseMs; !signal.aborted; ) {
      try {
        await this.#etcd.watch(
          this.#key,
          () => {
            pauseMs = shortestPauseMs
            this.#changed()
          },
          signal,
        )
      } catch {
        if (signal.aborted) return
        this.#etcd.turn()
        await unreferencedPause(pauseMs)
        pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      }
    }
  }
}

function unreferencedPause(ms: number): Promise<void> {
  return new Promise((done) => {
    setTimeout(done, ms).unref()
  })
}
