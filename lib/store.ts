/** A store: tables and dense parameters under names. */
import type { NativeStore, NativeVersion } from './addon.ts'
import { checkInteger, checkName } from './checks.ts'
import { completeDenseOptions, completeTableOptions } from './complete.ts'
import { Dense } from './dense.ts'
import { GroupCommit, Pending } from './durable.ts'
import { closedError, rejecting, typeError } from './errors.ts'
import type { ParameterInfo, Recovery, StoreStats, TableDiff } from './figures.ts'
import { closers, nativeStores } from './native-stores.ts'
import { open } from './open.ts'
import type { DenseOptions, StoreOptions, TableOptions } from './options.ts'
import { checkPipeline, type PipelineOptions, type PipelineStep, pipelineOf } from './pipeline.ts'
import {
  type ConcatOptions,
  type ConcatRequest,
  type LookupRequest,
  nativeConcat,
  nativeLookups,
  nativePushes,
  type PushRequest,
} from './requests.ts'
import { denseOptionsOf, frozenParts, tableOptionsOf } from './restore-options.ts'
import { Table } from './table.ts'
import { exportStore } from './transfer/export.ts'
import { importStore } from './transfer/import.ts'
import type { ExportOptions, ExportReport, ImportOptions, ImportReport } from './transfer/types.ts'
import {
  type CommitOptions,
  checkCommit,
  checkVersion,
  checkVersionName,
  type Delta,
  deltasBetween,
  type VersionInfo,
  type VersionLike,
  versionOf,
} from './versions.ts'
import { checkWorker, joinGroup, type SyncWorker, type WorkerOptions } from './worker.ts'

/** An open store; made by `open` or `connect`. */
export class Store {
  /** Where it was opened, absolute. */
  readonly path: string
  /** What `recover: 'newest-intact'` gave up when it was opened; undefined: nothing. */
  readonly recovered: Recovery | undefined
  readonly #native: NativeStore
  /** Of `durable: 'push'`. */
  readonly #group: GroupCommit | undefined
  #closing: Promise<void> | undefined
  /** Calls that go on beside the others. */
  readonly #pending = new Pending()

  /** @internal */
  constructor(
    path: string,
    native: NativeStore,
    made?: { commits: boolean; recovered: Recovery | undefined },
  ) {
    this.path = path
    this.recovered = made?.recovered
    this.#native = native
    nativeStores.set(this, native)
    // Beside close, which waits for what was called before it.
    if (made?.commits) this.#group = new GroupCommit(() => native.commit(undefined, ''))
  }

  /** Whether `close` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  #call<T>(work: (native: NativeStore) => Promise<T>): Promise<T> {
    if (!this.closed) return rejecting(() => work(this.#native))
    return Promise.reject(closedError(`the store '${this.path}'`))
  }

  /**
   * Opens the table `name`, creating it when there is none. Rejects with ERR_CONFLICT when it has
   * other options, naming the first that differs.
   *
   * @param options - left out: the table is opened as it is, ERR_NOT_FOUND when there is none
   */
  table(name: string, options?: TableOptions): Promise<Table> {
    checkName(name)
    if (options === undefined) {
      return this.#call((native) =>
        native
          .existingTable(name)
          .then((its) => new Table(name, tableOptionsOf(its.options()), its, this)),
      )
    }
    const complete = completeTableOptions(options)
    const given = { ...options, dim: complete.dim, ...frozenParts(options) }
    return this.#call((native) =>
      native.table(name, complete).then((made) => new Table(name, given, made, this)),
    )
  }

  /** As `table`, for a dense parameter. Tables and dense parameters share one space of names. */
  dense(name: string, options?: DenseOptions): Promise<Dense> {
    checkName(name)
    if (options === undefined) {
      return this.#call((native) =>
        native
          .existingDense(name)
          .then((its) => new Dense(name, denseOptionsOf(its.options()), its, this)),
      )
    }
    const complete = completeDenseOptions(options)
    const given = { ...options, shape: complete.shape }
    return this.#call((native) =>
      native.dense(name, complete).then((made) => new Dense(name, given, made, this)),
    )
  }

  /** Looks up several tables in one call. The results come in the order of the requests. */
  lookupAll(requests: readonly LookupRequest[]): Promise<Float32Array[]> {
    return rejecting(() => {
      const parts = nativeLookups(requests)
      return this.#call((native) => native.lookupAll(parts))
    })
  }

  /**
   * Looks up several tables, of any dims, into one array: the concatenated input of a model, and
   * no copy to make it. Row i of the result holds row i of each request, side by side in the order
   * of the requests; `offset` and `stride` place them otherwise, `repeat` gives a request's rows
   * several times each. Columns that no request fills are 0.
   *
   * @returns [n * stride]
   */
  lookupConcat(requests: readonly ConcatRequest[], options?: ConcatOptions): Promise<Float32Array> {
    return rejecting(() => {
      const { parts, size, stride, out } = nativeConcat(requests, options)
      return this.#call((native) => native.lookupConcat(parts, out, size, stride))
    })
  }

  /**
   * As `lookupConcat`, on the calling thread, without waiting for calls still under way.
   *
   * @param options - `out`: a Float32Array [n * stride] to fill instead of a new one; columns that
   * no request fills stay as they are
   */
  lookupConcatSync(
    requests: readonly ConcatRequest[],
    options?: ConcatOptions & { out?: Float32Array },
  ): Float32Array {
    if (this.closed) throw closedError(`the store '${this.path}'`)
    const { parts, size, stride, out } = nativeConcat(requests, options, ['out'])
    return this.#native.lookupConcatSync(parts, out, size, stride)
  }

  /** Pushes to several tables, each at most once in a call: all of it is applied or nothing. */
  pushAll(requests: readonly PushRequest[]): Promise<void> {
    const parts = nativePushes(requests)
    return this.settled(this.#call((native) => native.pushAll(parts)))
  }

  /**
   * Batches with their rows, looked up ahead: while a trainer works on one, the rows of the next
   * `depth` are on their way, and gradients are pushed behind it.
   *
   * ```ts
   * const requests = ({ users, items }) => [[userTable, users], [itemTable, items]]
   * for await (const { batch, rows, push } of store.pipeline(batches, { depth: 2, requests })) {
   *   push(gradientsOf(batch, rows))
   * }
   * ```
   *
   * What fails is thrown in the loop; when it ends, by whatever, no call is under way any more.
   */
  pipeline<B>(
    batches: Iterable<B> | AsyncIterable<B>,
    options: PipelineOptions<B>,
  ): AsyncGenerator<PipelineStep<B>, void, undefined> {
    return pipelineOf(this, batches, ...checkPipeline(batches, options))
  }

  /** Everything in the store, by name. */
  tables(): Promise<ParameterInfo[]> {
    return this.#call((native) => native.list())
  }

  /**
   * Removes a table or dense parameter and frees its memory; its handles reject with ERR_CLOSED
   * from then on. Rejects with ERR_NOT_FOUND when there is none of that name.
   */
  drop(name: string): Promise<void> {
    checkName(name)
    return this.#call((native) => native.drop(name))
  }

  /**
   * Makes a version of everything as it is at one instant during the call, and writes what has
   * changed since the one before; pushes and lookups go on meanwhile. It has what was called
   * before. When it resolves, the version survives the death of the process and of the machine.
   *
   * Rejects with ERR_UNSUPPORTED for a store in memory. After ERR_DISK_FULL or ERR_IO_ERROR there
   * is no new version, and the next commit has all that this one had.
   */
  commit(options?: CommitOptions): Promise<VersionInfo> {
    const { cursor, name } = checkCommit(options)
    // After the calls made before; those made from now on need not wait.
    return this.#version((native) => native.settled().then(() => native.commit(cursor, name)))
  }

  #version(work: (native: NativeStore) => Promise<NativeVersion>): Promise<VersionInfo> {
    return this.#beside((native) => work(native).then(versionOf))
  }

  /** As #call, of what goes on beside the calls in order; close waits for it. */
  #beside<T>(work: (native: NativeStore) => Promise<T>): Promise<T> {
    return this.#pending.add(this.#call(work))
  }

  /** @internal A call that changes rows, as `durable` says when it resolves. */
  settled<T>(applied: Promise<T>): Promise<T> {
    return this.#group === undefined ? applied : this.#pending.add(this.#group.after(applied))
  }

  /**
   * The newest version; its number is 0 when nothing was committed yet. Of a store opened for
   * reading, the one it is at.
   */
  version(): Promise<VersionInfo> {
    return this.#version((native) => native.version())
  }

  /** All versions that are kept, rising. */
  versions(): Promise<VersionInfo[]> {
    return this.#beside((native) => native.versions().then((all) => all.map(versionOf)))
  }

  /** The store as it was at a version, for reading, while this one goes on. To be closed. */
  at(version: VersionLike, options?: Omit<StoreOptions, 'readOnly' | 'version'>): Promise<Store> {
    return open(this.path, { ...options, readOnly: true, version: checkVersion(version) })
  }

  /**
   * Gives every row the values and state it had at a version, removes those that had none, and
   * commits that as a new version with the old one's cursor; what was not committed is lost. At one
   * instant for all calls, which wait meanwhile. Rejects with ERR_NOT_FOUND when the version is not
   * kept.
   */
  rollback(version: VersionLike): Promise<VersionInfo> {
    const checked = checkVersion(version)
    return this.#version((native) => native.rollback(checked))
  }

  /**
   * Names a version, which is kept for as long as it has a name; takes the name from the version
   * that has it. Without a version the name is free again.
   */
  nameVersion(name: string, version?: number | Pick<VersionInfo, 'version'>): Promise<void> {
    const checked = checkVersionName(name)
    const number = version === undefined ? 0 : Number(checkVersion(version))
    return this.#beside((native) => native.nameVersion(checked, number))
  }

  /** Keeps a version until `unpin`. */
  pin(version: number | Pick<VersionInfo, 'version'>): Promise<void> {
    const number = Number(checkVersion(version))
    return this.#beside((native) => native.pinVersion(number, true))
  }

  /** Ends what `pin` began. */
  unpin(version: number | Pick<VersionInfo, 'version'>): Promise<void> {
    const number = Number(checkVersion(version))
    return this.#beside((native) => native.pinVersion(number, false))
  }

  /**
   * What versions `from + 1` to `to` changed, one after the other. Rejects with ERR_NOT_FOUND at
   * one that is not kept any more.
   */
  delta(from: number, to: number): AsyncGenerator<Delta, void, undefined> {
    const last = checkInteger('to', to, 0, Number.MAX_SAFE_INTEGER)
    return deltasBetween(this.path, checkInteger('from', from, 0, last), last)
  }

  /**
   * Applies a delta, or a folder that is one, so that the store is at its version: on disk and in
   * memory, at one instant for all calls. When it has been applied already, nothing happens.
   *
   * Rejects with ERR_CONFLICT when the store is not at the delta's parent, is another store's, or
   * has changes of its own, and with ERR_CORRUPTION when a checksum does not fit. Nothing is
   * changed then. A snapshot's parent is any earlier version.
   */
  apply(delta: Pick<Delta, 'folder'> | string): Promise<VersionInfo> {
    const folder = typeof delta === 'object' && delta !== null ? delta.folder : delta
    if (typeof folder !== 'string') throw typeError('delta', 'a delta or its folder', delta)
    return this.#version((native) => native.apply(folder))
  }

  /**
   * Writes all of a kept version into a folder, which must not be there, as one delta from nothing
   * to it: `apply` takes it over any earlier version of its store, and over a store without one.
   */
  snapshot(version: VersionLike, folder: string): Promise<void> {
    const checked = checkVersion(version)
    if (typeof folder !== 'string') throw typeError('folder', 'a string', folder)
    return this.#beside((native) => native.snapshot(checked, folder))
  }

  /**
   * Of a store opened for reading: goes to the newest version there is, at one instant for all
   * calls. `follow` does it again and again.
   */
  refresh(): Promise<VersionInfo> {
    return this.#version((native) => native.refresh())
  }

  /**
   * Compares every row, state included, of two versions; a table that only one of them has counts
   * as added or removed whole.
   */
  diff(from: VersionLike, to: VersionLike): Promise<TableDiff[]> {
    const versions = [checkVersion(from), checkVersion(to)] as const
    return this.#beside((native) => native.diff(...versions))
  }

  /**
   * Reads everything on disk and checks every checksum. Rejects with ERR_CORRUPTION, naming what is
   * damaged.
   */
  verify(): Promise<void> {
    return this.#beside((native) => native.verify())
  }

  /** Merges files on disk until each row lies once: opening and reading are faster then. */
  compact(): Promise<void> {
    return this.#beside((native) => native.compact())
  }

  /**
   * Writes tables and dense parameters to files that other programs read: see docs/FORMATS.md,
   * "Exports". Goes on beside pushes: each row is written whole, and one that stays meanwhile is in
   * the file once, one that comes or goes once or not at all. Memory is bounded: a page of rows, or
   * one dense parameter. The files get their place once all of them are whole; whatever fails
   * before, an abort too, leaves nothing.
   *
   * Rejects with ERR_NOT_FOUND for unknown `tables`, ERR_CONFLICT when `path` is a folder that has
   * something in it, ERR_UNSUPPORTED for `'arrow'` without the package apache-arrow, ERR_DISK_FULL
   * and ERR_IO_ERROR, and the signal's reason.
   *
   * @param path - a file for `'safetensors'`, which replaces an older one; a folder for `'npy'` and
   * `'arrow'`
   */
  exportTo(path: string, options: ExportOptions): Promise<ExportReport> {
    return exportStore(this, path, options)
  }

  /**
   * Assigns what a file or folder of another program, or of `exportTo`, holds. Tables and dense
   * parameters that the store lacks are made. Nothing is assigned before all headers have been
   * found right and the shapes fit: malformed files reject with ERR_INVALID_ARGUMENT, shapes that
   * do not fit with ERR_CONFLICT. What ends an import later, an abort too, rejects with an
   * ImportInterruptedError that says what has been assigned.
   */
  importFrom(path: string, options?: ImportOptions): Promise<ImportReport> {
    return importStore(this, path, options)
  }

  /** Makes this store, which is one of `connect`, a worker of a training job: see `SyncWorker`. */
  worker(options: WorkerOptions): Promise<SyncWorker> {
    const checked = checkWorker(options)
    return this.#call((native) => joinGroup(native, checked, options.mode))
  }

  /** Memory and counts. */
  stats(): Promise<StoreStats> {
    return this.#call((native) => native.stats())
  }

  /**
   * Ends this opener's use after the calls made before have ended; the last opener's close frees
   * the memory. Later calls fail with ERR_CLOSED. Closing again is fine.
   */
  close(): Promise<void> {
    closers.get(this)?.()
    this.#closing ??= this.#pending.ended(() => this.#native.close())
    return this.#closing
  }

  /** `await using store = await open(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
