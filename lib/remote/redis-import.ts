/**
 * The import of a version into a Redis Cluster. Its rows lie under keys that no other import has,
 * so what a dead import left behind is in nobody's way; nobody reads them before the manifest says
 * that they are complete and counted.
 */
import { randomBytes } from 'node:crypto'
import { callError, rangeError } from '../errors.ts'
import type { RedisCommand, RedisLink } from './redis-client.ts'
import {
  bucketsFor,
  type Manifest,
  type ManifestTable,
  markerField,
  type Names,
} from './redis-layout.ts'
import { partsOf, writeCommands } from './redis-rows.ts'
import { runScript } from './redis-scripts.ts'
import {
  bucketsOf,
  readManifest,
  readPointer,
  remove,
  route,
  unlinkBuckets,
} from './redis-versions.ts'
import type { RemoteCallOptions, RemoteImport, RemoteImportOptions } from './tier.ts'

/** Of one call: a node's failover takes its cluster some seconds. */
export const importTimeoutMs = 30_000

interface Progress {
  readonly table: ManifestTable
  /** Rows written, of each bucket. */
  readonly counts: Float64Array
}

/** Begins an import; of a version half imported, what is there goes first. */
export async function beginRedisImport(
  link: RedisLink,
  names: Names,
  options: RemoteImportOptions & { buckets: number | undefined },
  done: () => Promise<unknown>,
): Promise<RemoteImport> {
  const { version, activate, signal } = options
  const limit = { timeoutMs: importTimeoutMs, signal }
  const current = await readPointer(link, names, limit)
  const old = await readManifest(link, names, version, limit)
  if (old?.state === 'complete') {
    throw callError('ERR_CONFLICT', `version ${version} is there already`)
  }
  if (old !== undefined) await remove(link, names, old, limit)
  const tables = options.tables.map(({ name, rowBytes, rows }): ManifestTable => {
    return { name, rowBytes, buckets: options.buckets ?? bucketsFor(rows), rows: 0 }
  })
  const id = randomBytes(6).toString('hex')
  const manifest: Manifest = { format: 1, version, id, state: 'importing', tables }
  const args = [id, JSON.stringify(manifest), `${version}`]
  const answer = await runScript(link, names, { script: 'begin', version, args }, limit)
  if (answer !== 'ok') throw takenError(version)
  const expected = activate ? `${current?.version ?? 'none'}` : undefined
  return new RedisImport(link, names, manifest, expected, done)
}

function takenError(version: number): Error {
  return callError('ERR_CONFLICT', `version ${version} is being imported or removed by another`)
}

class RedisImport implements RemoteImport {
  readonly #link: RedisLink
  readonly #names: Names
  readonly #manifest: Manifest
  /** The version that must be current for the switch, or 'none'; undefined: no switch. */
  readonly #expected: string | undefined
  readonly #done: () => Promise<unknown>
  readonly #progress: Map<string, Progress>

  constructor(
    link: RedisLink,
    names: Names,
    manifest: Manifest,
    expected: string | undefined,
    done: () => Promise<unknown>,
  ) {
    this.#link = link
    this.#names = names
    this.#manifest = manifest
    this.#expected = expected
    this.#done = done
    this.#progress = new Map(
      manifest.tables.map((table) => {
        return [table.name, { table, counts: new Float64Array(table.buckets) }]
      }),
    )
  }

  async setMany(
    table: string,
    keys: BigUint64Array,
    rows: Uint8Array,
    options?: RemoteCallOptions,
  ): Promise<void> {
    const progress = this.#progress.get(table)
    if (progress === undefined) {
      throw callError('ERR_NOT_FOUND', `the import has no table '${table}'`)
    }
    const bytes = keys.length * progress.table.rowBytes
    if (rows.length !== bytes) throw rangeError('rows', `${bytes} bytes`, rows.length)
    const parts = partsOf(keys, progress.table)
    const place = { manifest: this.#manifest, table: progress.table }
    const commands = writeCommands(this.#names, place, { keys, rows }, parts)
    await this.#do(`writing ${keys.length} rows of '${table}'`, commands, options?.signal)
    for (const { bucket, positions } of parts) progress.counts[bucket]! += positions.length
  }

  async commit(options?: RemoteCallOptions): Promise<void> {
    const signal = options?.signal
    await this.#count(signal)
    const tables = this.#manifest.tables.map((table): ManifestTable => {
      const { counts } = this.#progress.get(table.name) as Progress
      return { ...table, rows: counts.reduce((sum, count) => sum + count, 0) }
    })
    const { version, id } = this.#manifest
    const complete: Manifest = { ...this.#manifest, tables, state: 'complete' }
    const limit = { timeoutMs: importTimeoutMs, signal }
    const args = [id, JSON.stringify(complete)]
    const change = { script: 'complete', version, args } as const
    const answer = await runScript(this.#link, this.#names, change, limit)
    if (answer !== 'ok') throw takenError(version)
    if (this.#expected === undefined) return
    await route(this.#link, this.#names, complete, this.#expected, limit)
    await this.#done()
  }

  async abort(): Promise<void> {
    const limit = { timeoutMs: importTimeoutMs }
    const { version } = this.#manifest
    const there = await readManifest(this.#link, this.#names, version, limit)
    // Complete: it was the switch that failed, and the version is whole.
    if (there?.id === this.#manifest.id && there.state === 'complete') return
    if (there?.id === this.#manifest.id) await remove(this.#link, this.#names, there, limit)
    else await unlinkBuckets(this.#link, this.#names, this.#manifest, limit)
  }

  #do(what: string, commands: RedisCommand[], signal?: AbortSignal): Promise<unknown[]> {
    return this.#link.do(what, commands, { timeoutMs: importTimeoutMs, signal })
  }

  /** Marks every bucket and compares what is in it with what was written. */
  async #count(signal: AbortSignal | undefined): Promise<void> {
    for (const some of bucketsOf(this.#manifest.tables)) {
      const commands = some.flatMap(([table, bucket]): RedisCommand[] => {
        const { key, slot } = this.#names.bucket(this.#manifest, table, bucket)
        const rows = this.#rowsOf(table, bucket)
        return [
          { slot, name: 'hset', args: [key, markerField, `${rows}`] },
          { slot, name: 'hlen', args: [key] },
        ]
      })
      const replies = await this.#do('counting rows', commands, signal)
      for (const [i, [table, bucket]] of some.entries()) {
        const [there, rows] = [Number(replies[2 * i + 1]) - 1, this.#rowsOf(table, bucket)]
        if (there === rows) continue
        await this.#checkOwner(signal)
        const what = `bucket ${bucket} of '${table.name}' has ${there} rows, ${rows} were written`
        throw callError('ERR_CORRUPTION', `${what}: a node lost some, or a key came twice`)
      }
    }
  }

  /** Rows are missing where another import of this version has removed this one. */
  async #checkOwner(signal: AbortSignal | undefined): Promise<void> {
    const { version, id } = this.#manifest
    const limit = { timeoutMs: importTimeoutMs, signal }
    const there = await readManifest(this.#link, this.#names, version, limit)
    if (there?.id !== id) throw takenError(version)
  }

  #rowsOf(table: ManifestTable, bucket: number): number {
    return (this.#progress.get(table.name) as Progress).counts[bucket] as number
  }
}
