/**
 * Where a follower's versions come from: an object store, by way of a folder on this machine that
 * is a store itself. This end of it has that folder open for writing and applies what comes;
 * readers open it for reading, here or in other processes.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { callError, StoreError } from '../errors.ts'
import type { FollowOptions } from '../follow.ts'
import { open } from '../open.ts'
import type { Store } from '../store.ts'
import { type Listed, Names, type Place } from './layout.ts'
import { openObjects, type S3ClientLike } from './s3.ts'
import { download, listVersions, type Remote, readDescription } from './transfer.ts'

/** Options of `follow` from an object store. */
export interface FollowObjectsOptions extends FollowOptions {
  /**
   * A folder on this machine that is kept at the newest version: made when there is none. It is a
   * store that others may read and follow, and that nobody else writes to: ERR_LOCKED.
   */
  path: string
  /**
   * An `S3Client` of `@aws-sdk/client-s3`, which `close` leaves open, or the options of one:
   * region, endpoint, credentials. By default what the environment says.
   */
  s3?: S3ClientLike | object
}

/** Out of order, or damaged: there may be another way. */
const passedOver: ReadonlySet<string> = new Set(['ERR_CONFLICT', 'ERR_CORRUPTION'])
const scratchPrefix = 'arriving-'

/** Brings versions into the folder, one at a time. */
export class ObjectSource {
  readonly #store: Store
  readonly #remote: Remote
  readonly #onError: (error: unknown) => void
  #working: Promise<unknown> = Promise.resolve()
  #version: number

  /** @internal */
  constructor(store: Store, remote: Remote, version: number, onError: (error: unknown) => void) {
    this.#store = store
    this.#remote = remote
    this.#version = version
    this.#onError = onError
  }

  /** That of the folder; 0: there is none. */
  get version(): number {
    return this.#version
  }

  /** Brings the next version, if there is one; whether there was. */
  next(): Promise<boolean> {
    const done = this.#working.then(() => this.#bring())
    this.#working = done.catch(() => {})
    return done
  }

  async close(): Promise<void> {
    this.#remote.objects.close()
    await this.#working
    await this.#store.close()
  }

  async #bring(): Promise<boolean> {
    const listed = await listVersions(this.#remote, this.#version)
    if (listed.length === 0) return false
    const snapshots = listed.filter(({ kind }) => kind === 'snapshot').reverse()
    const deltas = listed.filter(({ kind }) => kind === 'delta').slice(0, 1)
    return this.#takeOneOf(
      this.#version === 0 ? [...snapshots, ...deltas] : [...deltas, ...snapshots],
    )
  }

  /** The first that goes on from here and is whole; or the error of the first there is. */
  async #takeOneOf(ways: readonly Listed[]): Promise<boolean> {
    const errors: StoreError[] = []
    for (const way of ways) {
      try {
        const came = await this.#take(way)
        for (const error of errors) if (error.code === 'ERR_CORRUPTION') this.#onError(error)
        return came
      } catch (error) {
        const other = error instanceof StoreError && passedOver.has(error.code)
        if (!other) throw error
        errors.push(error)
      }
    }
    throw errors[0]
  }

  async #take(which: Listed): Promise<boolean> {
    const { objects, names } = this.#remote
    const its = await readDescription(this.#remote, which)
    // Removed since it was listed.
    if (its === undefined) {
      throw callError('ERR_CONFLICT', `'${objects.name(names.description(which))}' is gone`)
    }
    if (which.kind === 'delta' && its.parent !== this.#version) {
      const text =
        `the delta of version ${which.version} goes on from version ${its.parent}, ` +
        `'${this.#store.path}' is at ${this.#version}`
      throw callError('ERR_CONFLICT', text)
    }
    const folder = await mkdtemp(join(this.#store.path, `${scratchPrefix}${process.pid}-`))
    try {
      await download(this.#remote, its, folder)
      const applied = await this.#store.apply(folder)
      const came = applied.version > this.#version
      this.#version = applied.version
      return came
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** What processes that died have left. */
async function clean(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (!name.startsWith(scratchPrefix)) continue
    await rm(join(path, name), { recursive: true, force: true })
  }
}

/** Opens the folder and the bucket, and brings the folder to the newest version that it can. */
export async function openSource(
  place: Place,
  options: FollowObjectsOptions,
): Promise<ObjectSource> {
  const { path, s3, keepVersions, keepMs, sync, recover, onError = () => {} } = options
  const objects = await openObjects(place.bucket, s3)
  let store: Store | undefined
  try {
    // No table is opened in it: rows are in memory where they are read.
    store = await open(path, {
      memoryBytes: 2 ** 24,
      threads: 1,
      ...(keepVersions !== undefined && { keepVersions }),
      ...(keepMs !== undefined && { keepMs }),
      ...(sync !== undefined && { sync }),
      // What is given up here is there to be fetched again.
      ...(recover !== undefined && { recover }),
    })
    await clean(store.path)
    const { version } = await store.version()
    const remote = { objects, names: new Names(place.prefix) }
    const source = new ObjectSource(store, remote, version, onError)
    await arrive(source, place, onError)
    return source
  } catch (error) {
    objects.close()
    await store?.close()
    throw error
  }
}

/** A folder that has a version is good to read from whatever the object store says. */
async function arrive(
  source: ObjectSource,
  place: Place,
  onError: (error: unknown) => void,
): Promise<void> {
  try {
    while (await source.next());
  } catch (error) {
    if (source.version === 0) throw error
    onError(error)
  }
  if (source.version !== 0) return
  throw callError('ERR_NOT_FOUND', `'s3://${place.bucket}/${place.prefix}' has no versions yet`)
}
