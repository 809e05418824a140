/** Following: a store opened for reading that goes from version to version with its writer. */
import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { checkInteger } from './checks.ts'
import { typeError } from './errors.ts'
import type { StoreOptions } from './options.ts'
import { open, type Store } from './store.ts'
import type { VersionInfo } from './versions.ts'

/** Options of `follow`. */
export interface FollowOptions extends Omit<StoreOptions, 'readOnly' | 'version'> {
  /**
   * Milliseconds between two looks for a new version, beside the folder's own notice. By default
   * 200.
   */
  pollMs?: number
  /** Called after each switch to a new version. */
  onVersion?: (version: VersionInfo) => void
  /** Called when a look fails; the next one tries again. */
  onError?: (error: unknown) => void
}

/** A store that follows; made by `follow`. */
export class Follower {
  /** Its tables answer from the newest version seen; each call from one version only. */
  readonly store: Store
  readonly #options: FollowOptions
  readonly #pollMs: number
  #timer: NodeJS.Timeout | undefined
  #watcher: FSWatcher | undefined
  #looking: Promise<void> | undefined
  #again = false
  #closed = false
  #version = 0

  /** @internal */
  constructor(store: Store, version: VersionInfo, options: FollowOptions, pollMs: number) {
    this.store = store
    this.#version = version.version
    this.#options = options
    this.#pollMs = pollMs
    try {
      // Where the system cannot watch, looking now and then is enough.
      this.#watcher = watch(join(store.path, 'versions'), { persistent: false }, () => this.#wake())
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {}
    this.#schedule()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => this.#wake(), this.#pollMs)
    this.#timer.unref()
  }

  #wake(): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    // One look at a time; a notice during one asks for another.
    if (this.#looking !== undefined) {
      this.#again = true
      return
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined
      if (!this.#again) return this.#schedule()
      this.#again = false
      this.#wake()
    })
  }

  async #look(): Promise<void> {
    try {
      await this.refresh()
    } catch (error) {
      if (!this.#closed) this.#complain(error)
    }
  }

  #complain(error: unknown): void {
    try {
      this.#options.onError?.(error)
    } catch {
      // Whoever listens to errors has none to tell its own to.
    }
  }

  /** Looks for a new version now; resolves with the one the store is at then. */
  async refresh(): Promise<VersionInfo> {
    const version = await this.store.refresh()
    if (version.version > this.#version) {
      this.#version = version.version
      this.#options.onVersion?.(version)
    }
    return version
  }

  /** Ends following and closes the store. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#watcher?.close()
    await this.#looking
    await this.store.close()
  }

  /** `await using follower = await follow(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Opens the newest version of the store in a folder for reading, and goes to every newer one as it
 * is committed. A switch is one instant for all calls over all tables; lookups can ask for rows of
 * at most some age (`maxAgeMs`). Rejects with ERR_NOT_FOUND when the folder has no version yet.
 *
 * @param source - the store's folder
 */
export async function follow(source: string, options: FollowOptions = {}): Promise<Follower> {
  const { pollMs = 200, onVersion, onError, ...rest } = options
  const checked = checkInteger('pollMs', pollMs, 1, 2 ** 31 - 1)
  for (const [name, call] of Object.entries({ onVersion, onError })) {
    if (call !== undefined && typeof call !== 'function') throw typeError(name, 'a function', call)
  }
  const store = await open(source, { ...rest, readOnly: true })
  try {
    return new Follower(store, await store.version(), options, checked)
  } catch (error) {
    await store.close()
    throw error
  }
}
