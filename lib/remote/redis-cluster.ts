/**
 * A tier on Redis Cluster, by the npm client `ioredis`, which is loaded when the first tier is
 * opened and is needed by nobody else. docs/FORMATS.md has the layout.
 *
 * A batch is one round trip: HMGET by buckets, pipelined to each node, all nodes at once. Versions
 * lie side by side; one key says for all tables which is current. Every bucket has a marker,
 * written last and read with every batch, so a bucket that is gone - with its version, or lost by a
 * node - is an error and never a batch of missing rows.
 */
import { checkInteger, checkObject, countOf } from '../checks.ts'
import { callError, closedError, rangeError, typeError } from '../errors.ts'
import { messageOf } from './limit.ts'
import { type CallLimit, type RedisClusterClient, RedisLink } from './redis-client.ts'
import { beginRedisImport, importTimeoutMs } from './redis-import.ts'
import { type Manifest, type ManifestTable, maxBuckets, Names } from './redis-layout.ts'
import { partsOf, readCommands, writeCommands } from './redis-rows.ts'
import {
  type Pointer,
  readManifest,
  readManifests,
  readPointer,
  remove,
  route,
} from './redis-versions.ts'
import type { RemoteCallOptions, RemoteImport, RemoteImportOptions, VersionedTier } from './tier.ts'

/** Where a Redis Cluster is, and how it is used. */
export interface RedisClusterOptions {
  /** Some of its nodes: the others are found through them. */
  nodes?: readonly { readonly host: string; readonly port: number }[]
  /** Options of `ioredis`' `Cluster`: passwords, TLS, addresses behind a NAT. */
  clusterOptions?: object
  /** In the place of `nodes`, a `Cluster` of `ioredis`, which `close` leaves open. */
  client?: RedisClusterClient
  /** Of every key: 1 to 64 letters, digits and `._-`. A model each, say. */
  prefix: string
  /**
   * A read that takes longer rejects, retries on other nodes included: 1 to 3,600,000. By default
   * 2,000. A view's own `timeoutMs` may end it before. Imports and removals have 30 s a request.
   */
  timeoutMs?: number
  /**
   * How often readers look for another current version, in ms: 0 (only by `refresh`) to 3,600,000.
   * By default 1,000.
   */
  refreshMs?: number
}

/** A version in a tier. */
export interface RemoteVersion {
  readonly version: number
  /** `'importing'`: being written, or left by an import that died. */
  readonly state: 'importing' | 'complete' | 'removing'
  readonly current: boolean
  /** Rows are known of complete versions. */
  readonly tables: readonly {
    readonly name: string
    readonly rowBytes: number
    readonly rows: number
  }[]
}

const mostManifests = 8
const mostMs = 3_600_000

/** Rows in a Redis Cluster; made by `redisClusterTier`. */
export class RedisClusterTier implements VersionedTier {
  readonly prefix: string
  readonly #link: RedisLink
  readonly #names: Names
  readonly #ownsClient: boolean
  /** Of the versions read lately. */
  readonly #manifests = new Map<number, Manifest>()
  #current: Manifest | undefined
  #refreshing: Promise<number | undefined> | undefined
  readonly #timer: NodeJS.Timeout | undefined

  /** @internal */
  constructor(
    client: RedisClusterClient,
    ownsClient: boolean,
    options: { prefix: string; timeoutMs: number; refreshMs: number },
  ) {
    this.prefix = options.prefix
    this.#link = new RedisLink(client, options.timeoutMs)
    this.#names = new Names(options.prefix)
    this.#ownsClient = ownsClient
    if (options.refreshMs === 0) return
    // While the cluster cannot be asked, the version read last is as good as any.
    const again = (): void => void this.refresh().catch(() => {})
    this.#timer = setInterval(again, options.refreshMs).unref()
  }

  get version(): number | undefined {
    return this.#current?.version
  }

  /** Looks for the current version now; which it is. */
  refresh(): Promise<number | undefined> {
    if (this.#link.closed) return Promise.reject(closedError('the tier'))
    this.#refreshing ??= this.#readCurrent().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /**
   * As `RemoteTier.getMany`. Rejects with ERR_NOT_FOUND when there is no version, or it has no such
   * table; ERR_IO_ERROR when nodes do not answer in time; ERR_CORRUPTION when a node has lost rows.
   */
  async getMany(
    table: string,
    keys: BigUint64Array,
    options: RemoteCallOptions = {},
  ): Promise<(Uint8Array | undefined)[]> {
    const count = countOf('keys', keys, 'BigUint64Array')
    const { signal } = options
    const place = await this.#place(table, options)
    const parts = partsOf(keys, place.table)
    const commands = readCommands(this.#names, place, keys, parts)
    const what = `reading ${count} rows of '${table}'`
    const replies = (await this.#link.do(what, commands, { signal })) as (Buffer | null)[][]
    const rows = new Array<Uint8Array | undefined>(count).fill(undefined)
    for (const [i, { bucket, positions }] of parts.entries()) {
      const [marker, ...values] = replies[i] as (Buffer | null)[]
      if (!marker) throw await this.#lostBucket(place.manifest, table, bucket, { signal })
      for (const [at, position] of positions.entries()) rows[position] = values[at] ?? undefined
    }
    return rows
  }

  /** As `RemoteTier.setMany`, into the current version or the one that `options` names. */
  async setMany(
    table: string,
    keys: BigUint64Array,
    rows: Uint8Array,
    rowBytes: number,
    options: RemoteCallOptions = {},
  ): Promise<void> {
    const count = countOf('keys', keys, 'BigUint64Array')
    if (!(rows instanceof Uint8Array)) throw typeError('rows', 'Uint8Array', rows)
    const place = await this.#place(table, options)
    if (rowBytes !== place.table.rowBytes) {
      throw rangeError('rowBytes', `${place.table.rowBytes} as the table has`, rowBytes)
    }
    if (rows.length !== count * rowBytes) {
      throw rangeError('rows', `${count * rowBytes} bytes`, rows.length)
    }
    const parts = partsOf(keys, place.table)
    const commands = writeCommands(this.#names, place, { keys, rows }, parts)
    await this.#link.do(`writing ${count} rows of '${table}'`, commands, options)
  }

  /**
   * As `VersionedTier.beginImport`; `importVersion` does all of an import. What an import of the
   * same version left that died goes first; of two at the same time one fails, with ERR_CONFLICT.
   *
   * @param options - `buckets`: hashes that a table is spread over, a power of two up to 16,384; by
   * default one for 65,536 rows, and at least 64
   */
  beginImport(options: RemoteImportOptions & { buckets?: number }): Promise<RemoteImport> {
    const { buckets } = options
    checkInteger('version', options.version, 1, Number.MAX_SAFE_INTEGER)
    if (buckets !== undefined) {
      checkInteger('buckets', buckets, 1, maxBuckets)
      if ((buckets & (buckets - 1)) !== 0) throw rangeError('buckets', 'a power of two', buckets)
    }
    const done = (): Promise<unknown> => this.refresh()
    return beginRedisImport(this.#link, this.#names, { ...options, buckets }, done)
  }

  /** All versions, the oldest number first. */
  async versions(): Promise<RemoteVersion[]> {
    const pointer = await readPointer(this.#link, this.#names, {})
    const manifests = await readManifests(this.#link, this.#names, {})
    return manifests.map(({ version, id, state, tables }) => {
      const current = pointer?.id === id
      const shapes = tables.map(({ name, rowBytes, rows }) => ({ name, rowBytes, rows }))
      return { version, state, current, tables: shapes }
    })
  }

  /**
   * Makes a complete version the one that everybody reads, of all tables at once: a newer one that
   * was imported without, or an older one again. Other readers follow within their `refreshMs`.
   * Rejects with ERR_NOT_FOUND when it is not there, ERR_CONFLICT when `expected` is not current.
   */
  async switchTo(version: number, options: { expected?: number } = {}): Promise<void> {
    checkInteger('version', version, 1, Number.MAX_SAFE_INTEGER)
    const { expected } = checkObject('options', options, ['expected'])
    if (expected !== undefined) checkInteger('expected', expected, 1, Number.MAX_SAFE_INTEGER)
    const manifest = await this.#manifest(version)
    const wanted = expected === undefined ? '' : `${expected as number}`
    await route(this.#link, this.#names, manifest, wanted, {})
    await this.refresh()
  }

  /**
   * Removes a version and frees its rows; of one half imported or half removed, what is left. Who
   * reads it still is told so and goes on with the current one. Rejects with ERR_CONFLICT for the
   * current version, ERR_NOT_FOUND when there is none of that number.
   */
  async removeVersion(version: number): Promise<void> {
    checkInteger('version', version, 1, Number.MAX_SAFE_INTEGER)
    const limit = { timeoutMs: importTimeoutMs }
    await remove(this.#link, this.#names, await this.#manifest(version), limit)
    this.#manifests.delete(version)
  }

  /** Ends the connections; calls under way reject with ERR_CLOSED. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#link.closed) return
    this.#link.close()
    if (this.#ownsClient) this.#link.client.disconnect()
  }

  async #readCurrent(): Promise<number | undefined> {
    for (;;) {
      const pointer = await readPointer(this.#link, this.#names, {})
      const known = this.#manifests.get(pointer?.version ?? 0)
      if (pointer === undefined || known?.id === pointer.id) {
        this.#current = known
        return known?.version
      }
      const manifest = await readManifest(this.#link, this.#names, pointer.version, {})
      // Switched and removed between the two reads: there is another current one.
      if (manifest?.id !== pointer.id) {
        if (await this.#unchanged(pointer)) throw danglingError(pointer)
        continue
      }
      this.#remember(manifest)
      this.#current = manifest
      return manifest.version
    }
  }

  async #unchanged(pointer: Pointer): Promise<boolean> {
    return (await readPointer(this.#link, this.#names, {}))?.id === pointer.id
  }

  #remember(manifest: Manifest): void {
    this.#manifests.delete(manifest.version)
    this.#manifests.set(manifest.version, manifest)
    const [oldest] = this.#manifests.keys()
    if (this.#manifests.size > mostManifests) this.#manifests.delete(oldest as number)
  }

  async #manifest(version: number, limit: CallLimit = {}): Promise<Manifest> {
    const manifest = await readManifest(this.#link, this.#names, version, limit)
    if (manifest !== undefined) return manifest
    throw callError('ERR_NOT_FOUND', `version ${version} is not there`)
  }

  /** The table of a version that is complete. */
  async #place(
    name: string,
    { version, signal }: RemoteCallOptions,
  ): Promise<{ manifest: Manifest; table: ManifestTable }> {
    let manifest = version === undefined ? this.#current : this.#manifests.get(version)
    if (manifest === undefined && version !== undefined) {
      manifest = await this.#manifest(version, { signal })
      if (manifest.state !== 'complete') {
        throw callError('ERR_NOT_FOUND', `version ${version} is not complete`)
      }
      this.#remember(manifest)
    }
    if (manifest === undefined) {
      throw callError('ERR_NOT_FOUND', `no version is current under '${this.prefix}'`)
    }
    const table = manifest.tables.find((each) => each.name === name)
    if (table !== undefined) return { manifest, table }
    throw callError('ERR_NOT_FOUND', `version ${manifest.version} has no table '${name}'`)
  }

  /** Why a bucket has no marker. */
  async #lostBucket(
    { version, id }: Manifest,
    table: string,
    bucket: number,
    limit: CallLimit,
  ): Promise<Error> {
    const there = await readManifest(this.#link, this.#names, version, limit)
    if (there?.id === id && there.state === 'complete') {
      const text = `bucket ${bucket} of '${table}' of version ${version} is gone: its node lost it`
      return callError('ERR_CORRUPTION', text)
    }
    this.#manifests.delete(version)
    await this.refresh()
    return callError('ERR_NOT_FOUND', `version ${version} was removed`)
  }
}

function danglingError({ version }: Pointer): Error {
  return callError('ERR_CORRUPTION', `version ${version} is current, and its manifest is gone`)
}

const fields = ['nodes', 'clusterOptions', 'client', 'prefix', 'timeoutMs', 'refreshMs']

/**
 * Opens a tier on a Redis Cluster. Rejects with ERR_UNSUPPORTED when `ioredis` is not installed
 * (`npm install ioredis`), ERR_IO_ERROR when the cluster does not answer within `timeoutMs`.
 */
export function redisClusterTier(options: RedisClusterOptions): Promise<RedisClusterTier> {
  checkObject('options', options, fields)
  const { nodes, client, prefix, timeoutMs = 2000, refreshMs = 1000 } = options
  const { clusterOptions = {} } = options
  if (typeof prefix !== 'string') throw typeError('prefix', 'a string', prefix)
  if (!/^[\w.-]{1,64}$/.test(prefix)) {
    throw rangeError('prefix', '1 to 64 letters, digits and ._-', prefix)
  }
  const checked = {
    prefix,
    timeoutMs: checkInteger('timeoutMs', timeoutMs, 1, mostMs),
    refreshMs: checkInteger('refreshMs', refreshMs, 0, mostMs),
  }
  if (client !== undefined) {
    if (nodes !== undefined) throw rangeError('options', 'nodes or client', 'both')
    return opened(checkClient(client), false, checked)
  }
  const startup = checkNodes(nodes)
  if (typeof clusterOptions !== 'object' || clusterOptions === null) {
    throw typeError('clusterOptions', 'an object', clusterOptions)
  }
  return connected(startup, clusterOptions).then((made) => opened(made, true, checked))
}

function checkClient(value: unknown): RedisClusterClient {
  const client = value as RedisClusterClient | null
  const isClient = typeof client === 'object' && typeof client?.refreshSlotsCache === 'function'
  if (isClient && Array.isArray(client.slots)) return client
  throw typeError('client', 'a Cluster of ioredis', value)
}

function checkNodes(nodes: unknown): { host: string; port: number }[] {
  if (!Array.isArray(nodes)) throw typeError('nodes', 'an array', nodes)
  if (nodes.length === 0) throw rangeError('nodes', 'at least one node', nodes.length)
  return Array.from(nodes as unknown[], (node, i) => {
    const { host, port } = checkObject(`nodes[${i}]`, node, ['host', 'port'])
    if (typeof host !== 'string') throw typeError(`nodes[${i}].host`, 'a string', host)
    return { host, port: checkInteger(`nodes[${i}].port`, port, 1, 65_535) }
  })
}

async function connected(
  nodes: { host: string; port: number }[],
  clusterOptions: object,
): Promise<RedisClusterClient> {
  const { Cluster } = await import('ioredis').catch((error: unknown) => {
    const text = `redisClusterTier needs ioredis: npm install ioredis (${messageOf(error)})`
    throw callError('ERR_UNSUPPORTED', text)
  })
  const client = new Cluster(nodes, { slotsRefreshInterval: 2000, ...clusterOptions })
  // What matters to a call is in the call's own error.
  client.on('error', () => {})
  return client
}

async function opened(
  client: RedisClusterClient,
  ownsClient: boolean,
  options: { prefix: string; timeoutMs: number; refreshMs: number },
): Promise<RedisClusterTier> {
  const tier = new RedisClusterTier(client, ownsClient, options)
  try {
    await tier.refresh()
    return tier
  } catch (error) {
    await tier.close()
    throw error
  }
}
