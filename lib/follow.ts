/** Following: a store opened for reading that goes from version to version with its writer. */
import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { checkInteger } from './checks.ts'
import { rangeError, typeError } from './errors.ts'
import { placeOf } from './objects/layout.ts'
import { type FollowObjectsOptions, type ObjectSource, openSource } from './objects/source.ts'
import { open } from './open.ts'
import type { StoreOptions } from './options.ts'
import type { Store } from './store.ts'
import type { VersionInfo } from './versions.ts'

/** Options of `follow`. */
export interface FollowOptions extends Omit<StoreOptions, 'readOnly' | 'version'> {
  /**
   * Milliseconds between two looks for a new version: of a folder beside its own notice, and by
   * default 200; of an object store by default 1,000, a request each. After looks that failed the
   * next one comes later, up to half a minute.
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
  /** Of one that follows an object store: what brings versions into the folder. */
  readonly #source: ObjectSource | undefined
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #watcher: FSWatcher | undefined
  #looking: Promise<void> | undefined
  #again = false
  #closed = false
  #version = 0

  /** @internal */
  constructor(
    store: Store,
    version: VersionInfo,
    options: FollowOptions & { pollMs: number },
    source?: ObjectSource,
  ) {
    this.store = store
    this.#version = version.version
    this.#options = options
    this.#pollMs = options.pollMs
    this.#source = source
    if (source === undefined) this.#watch()
    this.#schedule()
  }

  #watch(): void {
    try {
      // Where the system cannot watch, looking now and then is enough.
      this.#watcher = watch(join(this.store.path, 'versions'), { persistent: false }, () =>
        this.#wake(),
      )
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {}
  }

  #schedule(): void {
    if (this.#closed) return
    const later = this.#pollMs * 2 ** Math.min(this.#failures, 20)
    const ms = Math.max(this.#pollMs, Math.min(later, mostPollMs))
    this.#timer = setTimeout(() => this.#wake(), ms)
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
      this.#failures = 0
    } catch (error) {
      this.#failures++
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
    while (await this.#source?.next()) await this.#switch()
    return this.#switch()
  }

  async #switch(): Promise<VersionInfo> {
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
    await this.#source?.close()
    await this.#looking
    await this.store.close()
  }

  /** `await using follower = await follow(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const mostPollMs = 30_000

/**
 * Opens the newest version of a store for reading, and goes to every newer one as it is committed.
 * A switch is one instant for all calls over all tables; lookups can ask for rows of at most some
 * age (`maxAgeMs`).
 *
 * From a folder: that of the store itself, on one machine or a shared file system. Rejects with
 * ERR_NOT_FOUND when it has no version yet.
 *
 * From an object store, `s3://bucket/prefix`, where `publish` puts versions: `path` is a folder on
 * this machine that is kept at the newest version; the follower's store reads that. New versions
 * come by their deltas; by a snapshot at first, and where deltas are missing or damaged and there
 * is a newer one. A damaged object is told to `onError`, ERR_CORRUPTION; the rows stay those of
 * the version before until it is mended. What is in the folder can be read when the object store
 * cannot be reached, from the start. Rejects with ERR_NOT_FOUND when nothing was published yet,
 * ERR_LOCKED when another process follows into the folder (follow the folder then), and
 * ERR_UNSUPPORTED without the package `@aws-sdk/client-s3`.
 *
 * @param source - the store's folder, or where it is published
 */
export function follow(source: `s3://${string}`, options: FollowObjectsOptions): Promise<Follower>
export function follow(source: string, options?: FollowOptions): Promise<Follower>
export async function follow(
  source: string,
  options: FollowOptions & Partial<FollowObjectsOptions> = {},
): Promise<Follower> {
  const { path, s3, pollMs, onVersion, onError, ...rest } = options
  for (const [name, call] of Object.entries({ onVersion, onError })) {
    if (call !== undefined && typeof call !== 'function') throw typeError(name, 'a function', call)
  }
  const place = typeof source === 'string' && source.startsWith('s3:') ? placeOf(source) : undefined
  if (place === undefined) {
    if (typeof source === 'string' && source.startsWith('s3:')) {
      throw rangeError('source', 's3://bucket/prefix or a folder', source)
    }
    for (const [name, value] of Object.entries({ path, s3 })) {
      if (value !== undefined) throw rangeError(name, 'nothing where a folder is followed', value)
    }
  } else if (typeof path !== 'string' || path === '' || path.startsWith(':memory:')) {
    throw typeError('path', 'a folder for the versions', path)
  }
  const byDefault = place === undefined ? 200 : 1000
  const checked = checkInteger('pollMs', pollMs ?? byDefault, 1, 2 ** 31 - 1)
  const from = place && (await openSource(place, options as FollowObjectsOptions))
  let store: Store | undefined
  try {
    store = await open(path ?? source, { ...rest, readOnly: true })
    return new Follower(store, await store.version(), { ...options, pollMs: checked }, from)
  } catch (error) {
    await store?.close()
    await from?.close()
    throw error
  }
}
