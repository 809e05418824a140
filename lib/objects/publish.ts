/**
 * Publishing: the versions of a store are copied to an object store, where followers find them.
 *
 * A version goes up as its delta, or as a snapshot where followers could not go on from what is
 * there: at first, where a version in between is not kept any more, and now and then.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { checkCallOptions, checkInteger } from '../checks.ts'
import { callError, closedError, rangeError, StoreError, typeError } from '../errors.ts'
import type { Store } from '../store.ts'
import { parseDelta, type VersionInfo } from '../versions.ts'
import { Names, placeOf } from './layout.ts'
import { openObjects, type S3ClientLike } from './s3.ts'
import { listVersions, type Remote, readDescription, upload } from './transfer.ts'

/** Options of `publish`. */
export interface PublishOptions {
  /**
   * An `S3Client` of `@aws-sdk/client-s3`, which `close` leaves open, or the options of one:
   * region, endpoint, credentials. By default what the environment says.
   */
  s3?: S3ClientLike | object
  /**
   * After so many deltas a snapshot is published too, 1 to 1,000,000: followers that start late, or
   * have missed something, begin with it. By default 32.
   */
  snapshotEvery?: number
}

async function readFolder(
  folder: string,
): Promise<{ text: string } & ReturnType<typeof parseDelta>> {
  const text = await readFile(join(folder, 'delta.json'), 'utf8')
  return { text, ...parseDelta(text) }
}

/** Copies a store's versions to an object store; made by `publish`. */
export class Publisher {
  readonly #store: Store
  readonly #remote: Remote
  readonly #snapshotEvery: number
  #working: Promise<unknown> = Promise.resolve()
  #closed = false

  /** @internal */
  constructor(store: Store, remote: Remote, snapshotEvery: number) {
    this.#store = store
    this.#remote = remote
    this.#snapshotEvery = snapshotEvery
  }

  /**
   * Copies what the store has committed and the object store lacks, up to the newest version; which
   * that is. To be called after commits. A version is seen by followers as a whole or not at all;
   * what a publisher that died has left is not seen. Publishes nothing when there is nothing new.
   *
   * Rejects with ERR_CONFLICT when the object store has versions of another store, or versions that
   * this one does not have, and with ERR_IO_ERROR when it does not answer.
   */
  publish(): Promise<VersionInfo> {
    return this.#next(() => this.#publishNew())
  }

  /**
   * Copies a version again, whatever is there: mends objects that were damaged or removed.
   * Rejects with ERR_NOT_FOUND when the store does not keep it any more.
   */
  republish(version: number): Promise<void> {
    const checked = checkInteger('version', version, 1, Number.MAX_SAFE_INTEGER)
    return this.#next(async () => {
      const listed = await listVersions(this.#remote, checked - 1)
      const kinds = listed.filter((each) => each.version === checked).map(({ kind }) => kind)
      if (kinds.length === 0) {
        throw callError('ERR_NOT_FOUND', `version ${checked} was not published`)
      }
      if (kinds.includes('delta')) await this.#publishDelta(checked)
      if (kinds.includes('snapshot')) await this.#publishSnapshot(checked)
    })
  }

  /** Ends publishing after the calls made before; the store stays open. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#working
    this.#remote.objects.close()
  }

  /** `await using publisher = await publish(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** One at a time. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closedError('the publisher'))
    const done = this.#working.then(work)
    this.#working = done.catch(() => {})
    return done
  }

  async #publishNew(): Promise<VersionInfo> {
    const newest = await this.#store.version()
    const listed = await listVersions(this.#remote, 0)
    const last = listed.at(-1)?.version ?? 0
    if (newest.version === 0 && last === 0) return newest
    // What it does not know it cannot go on from: another history may have come to that number.
    const known = last !== 0 && (await this.#knows(last, newest.version))
    let at = last
    let since = 0
    for (const { kind } of listed) since = kind === 'snapshot' ? 0 : since + 1
    while (known && at < newest.version) {
      const next = await this.#publishAfter(at, newest.version)
      if (next === undefined) break
      at = next
      since++
    }
    const due = since >= this.#snapshotEvery && at !== last
    if (at < newest.version || due) await this.#publishSnapshot(newest.version)
    return newest
  }

  /** Publishes the delta that goes on from a version; undefined: it is not kept. */
  async #publishAfter(at: number, newest: number): Promise<number | undefined> {
    // Numbers are left out only where versions were given up.
    const version = await this.#childOf(at, newest)
    if (version === undefined) return undefined
    try {
      await this.#publishDelta(version, at)
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ERR_NOT_FOUND') return undefined
      throw error
    }
    return version
  }

  async #childOf(at: number, newest: number): Promise<number | undefined> {
    for (const { version, parent } of await this.#store.versions()) {
      if (parent === at && version > at && version <= newest) return version
    }
    return undefined
  }

  async #publishDelta(version: number, after?: number): Promise<void> {
    // As long as somebody reads it, it is not removed.
    const held = await this.#store.at(version)
    try {
      for await (const { folder, parent } of this.#store.delta(version - 1, version)) {
        // What the store itself took as a snapshot is no delta for others.
        if (after === undefined ? parent === 0 && version > 1 : parent !== after) {
          throw callError('ERR_NOT_FOUND', `version ${version} has no delta`)
        }
        const { text } = await readFolder(folder)
        await upload(this.#remote, { version, kind: 'delta' }, folder, text)
      }
    } finally {
      await held.close()
    }
  }

  async #publishSnapshot(version: number): Promise<void> {
    const folder = join(this.#store.path, 'publishing')
    const scratch = join(folder, String(version))
    await rm(folder, { recursive: true, force: true })
    try {
      await this.#store.snapshot(version, scratch)
      const { text } = await readFolder(scratch)
      await upload(this.#remote, { version, kind: 'snapshot' }, scratch, text)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /**
   * Whether the store can say that the newest version there is one of its own; ERR_CONFLICT when it
   * is another store's, or another version of that number.
   */
  async #knows(last: number, newest: number): Promise<boolean> {
    const bucket = this.#remote.objects.bucket
    const conflict = (why: string): StoreError => callError('ERR_CONFLICT', `'${bucket}': ${why}`)
    if (last > newest) {
      throw conflict(`it has version ${last}, the store has come to version ${newest} only`)
    }
    const mine = await this.#kept(last)
    const run = mine?.run ?? (await this.#kept(newest))?.run
    for (const kind of ['delta', 'snapshot'] as const) {
      const its = await readDescription(this.#remote, { version: last, kind }).catch((error) => {
        // A damaged one says nothing, and is mended by `republish`.
        if (error instanceof StoreError && error.code === 'ERR_CORRUPTION') return undefined
        throw error
      })
      if (its === undefined) continue
      if (run !== undefined && run !== its.run) {
        throw conflict(`it has the versions of another store (${its.run})`)
      }
      if (mine !== undefined && mine.manifest !== its.manifest) {
        throw conflict(`its version ${last} is another than the store's`)
      }
    }
    return mine !== undefined
  }

  /** What the store says of a version; undefined: it does not keep it. */
  async #kept(version: number): Promise<{ run: string; manifest: string } | undefined> {
    try {
      for await (const { folder } of this.#store.delta(version - 1, version)) {
        return await readFolder(folder)
      }
    } catch {
      // Removed, or without its delta.
    }
    return undefined
  }
}

/**
 * Copies a store's versions to an object store with the S3 API, from which any number of followers
 * take them: `follow` with the same URL. Nothing is copied before `publish` of the publisher is
 * called. Needs the package `@aws-sdk/client-s3`; without it rejects with ERR_UNSUPPORTED. One
 * publisher a store.
 *
 * @param store - one on disk, open for writing or for reading, which stays open
 * @param url - `s3://bucket/prefix`; the bucket must be there
 */
export async function publish(
  store: Store,
  url: string,
  options: PublishOptions = {},
): Promise<Publisher> {
  checkCallOptions(options, ['s3', 'snapshotEvery'])
  const { s3, snapshotEvery = 32 } = options
  if (typeof url !== 'string') throw typeError('url', 'a string', url)
  const place = placeOf(url)
  if (place === undefined) throw rangeError('url', 's3://bucket/prefix', url)
  const every = checkInteger('snapshotEvery', snapshotEvery, 1, 1_000_000)
  if (store.path.startsWith(':memory:')) {
    throw callError('ERR_UNSUPPORTED', 'a store in memory has no versions to publish')
  }
  const objects = await openObjects(place.bucket, s3)
  return new Publisher(store, { objects, names: new Names(place.prefix) }, every)
}
