/**
 * The seam for rows that lie elsewhere: any key-value store with an npm client can be a tier by
 * these few methods. `tieredTable` (tiered.ts) reads a local table with a tier behind it;
 * `importVersion` (import.ts) fills one; `redisClusterTier` (redis-cluster.ts) is one.
 *
 * A row in a tier is bytes: the f32 values of the row, little-endian, `4 * dim` of them.
 */

/** How a tier is asked. */
export interface RemoteCallOptions {
  /** Aborted when nobody waits for the answer any more: the call may end early, or not care. */
  signal?: AbortSignal | undefined
  /** Of tiers with versions: the one to read, by default the current one. */
  version?: number | undefined
}

/**
 * A store of rows behind the local tables. In its simplest form, over a Map:
 *
 * ```ts
 * class MapTier implements RemoteTier {
 *   readonly #rows = new Map<string, Uint8Array>()
 *   async getMany(table: string, keys: BigUint64Array) {
 *     return Array.from(keys, (key) => this.#rows.get(`${table}/${key}`))
 *   }
 *   async setMany(table: string, keys: BigUint64Array, rows: Uint8Array, rowBytes: number) {
 *     for (const [i, key] of keys.entries()) {
 *       this.#rows.set(`${table}/${key}`, rows.slice(i * rowBytes, (i + 1) * rowBytes))
 *     }
 *   }
 *   async close() {}
 * }
 * ```
 */
export interface RemoteTier {
  /**
   * Of tiers with versions: the one that is read now, the same for all tables, undefined while
   * there is none. Views take it to be what `getMany` gives when it is asked for that version, and
   * forget what they have promoted when it changes. Tiers without versions leave it out.
   */
  readonly version?: number | undefined
  /**
   * The rows of a batch of keys: one call is one round trip. Rejections are the caller's to see.
   * Of a version that is gone it rejects with a StoreError ERR_NOT_FOUND.
   *
   * @param keys - [n], no duplicates; the tier may keep the array
   * @returns [n], in the order of the keys; undefined or null for a key without a row. Nobody
   * changes a row that was given.
   */
  getMany(
    table: string,
    keys: BigUint64Array,
    options?: RemoteCallOptions,
  ): Promise<readonly (Uint8Array | null | undefined)[]>
  /**
   * Assigns rows; of equal keys the last wins. Resolves when later reads see them all; until then
   * the arrays are not to be changed. After a rejection some may be there.
   *
   * @param keys - [n]
   * @param rows - [n * rowBytes]
   */
  setMany(
    table: string,
    keys: BigUint64Array,
    rows: Uint8Array,
    rowBytes: number,
    options?: RemoteCallOptions,
  ): Promise<void>
  /** Ends connections; calls under way may reject. */
  close(): Promise<void>
}

/** A table of a version in a tier. */
export interface RemoteTableShape {
  readonly name: string
  readonly rowBytes: number
  /** Rows to expect, 0 when that is not known: a tier may choose its layout by it. */
  readonly rows: number
}

/** What becomes a version of a tier: nobody reads it before `commit` has resolved. */
export interface RemoteImport {
  /** As `RemoteTier.setMany`; a key is given once in an import. */
  setMany(
    table: string,
    keys: BigUint64Array,
    rows: Uint8Array,
    options?: RemoteCallOptions,
  ): Promise<void>
  /**
   * Checks that every row is there and, unless the import was begun with `activate: false`, makes
   * this the version that everybody reads, of all tables at once.
   */
  commit(options?: RemoteCallOptions): Promise<void>
  /** Removes what was written. */
  abort(): Promise<void>
}

/** How an import begins. */
export interface RemoteImportOptions {
  readonly version: number
  readonly tables: readonly RemoteTableShape[]
  /** Whether readers switch to it when it is complete. */
  readonly activate: boolean
  readonly signal?: AbortSignal | undefined
}

/** A tier that holds several versions side by side. */
export interface VersionedTier extends RemoteTier {
  readonly version: number | undefined
  /** Rejects with ERR_CONFLICT when the version is there and complete. */
  beginImport(options: RemoteImportOptions): Promise<RemoteImport>
}
