// Tiers that lie in this process: rows of a Map, with what may go wrong at the press of a button.

import type {
  RemoteCallOptions,
  RemoteImport,
  RemoteImportOptions,
  RemoteTier,
  VersionedTier,
} from 'hotrow'

export type Rows = Map<string, Uint8Array>

/** Row of f32 values as a tier has it. */
export function bytesOf(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

/** The plainest tier: what an adaptor has to do, and no more. */
export class MapTier implements RemoteTier {
  rows: Rows = new Map()
  /** The keys of each call of getMany. */
  readonly calls: bigint[][] = []
  /** In the place of what getMany would do. */
  instead: (() => unknown) | undefined
  /** Awaited before getMany answers. */
  hold: Promise<unknown> | undefined

  put(table: string, key: bigint, ...values: number[]): void {
    this.rows.set(`${table}/${key}`, bytesOf(...values))
  }

  async getMany(
    table: string,
    keys: BigUint64Array,
    _options?: RemoteCallOptions,
  ): Promise<(Uint8Array | undefined)[]> {
    this.calls.push([...keys])
    await this.hold
    if (this.instead !== undefined) return this.instead() as never
    return Array.from(keys, (key) => this.rows.get(`${table}/${key}`))
  }

  async setMany(
    table: string,
    keys: BigUint64Array,
    rows: Uint8Array,
    rowBytes: number,
  ): Promise<void> {
    for (const [i, key] of keys.entries()) {
      this.rows.set(`${table}/${key}`, rows.slice(i * rowBytes, (i + 1) * rowBytes))
    }
  }

  async close(): Promise<void> {}
}

/** As MapTier, with a Map a version; a version that is not there is ERR_NOT_FOUND. */
export class VersionedMapTier extends MapTier implements VersionedTier {
  readonly versions = new Map<number, Rows>()
  version: number | undefined
  /** Errors of setMany to come: taken one a call. */
  readonly failures: (Error | undefined)[] = []
  readonly aborted: number[] = []
  most = 0
  #writing = 0

  override async getMany(
    table: string,
    keys: BigUint64Array,
    options: RemoteCallOptions = {},
  ): Promise<(Uint8Array | undefined)[]> {
    const version = options.version ?? this.version
    await super.getMany(table, keys)
    const rows = this.versions.get(version ?? 0)
    if (rows === undefined) throw notFound(version)
    return Array.from(keys, (key) => rows.get(`${table}/${key}`))
  }

  async beginImport({ version, activate, tables }: RemoteImportOptions): Promise<RemoteImport> {
    const rows: Rows = new Map()
    const setMany: RemoteImport['setMany'] = async (table, keys, bytes) => {
      this.most = Math.max(this.most, ++this.#writing)
      await new Promise((later) => setTimeout(later, 1))
      this.#writing--
      const failure = this.failures.shift()
      if (failure !== undefined) throw failure
      const { rowBytes } = tables.find(({ name }) => name === table) as { rowBytes: number }
      for (const [i, key] of keys.entries()) {
        rows.set(`${table}/${key}`, bytes.slice(i * rowBytes, (i + 1) * rowBytes))
      }
    }
    const commit = async (): Promise<void> => {
      this.versions.set(version, rows)
      if (activate) this.version = version
    }
    const abort = async (): Promise<void> => {
      this.aborted.push(version)
    }
    return { setMany, commit, abort }
  }
}

function notFound(version: number | undefined): Error {
  const error = Object.assign(new Error(`no version ${version}`), { code: 'ERR_NOT_FOUND' })
  // As a StoreError of another copy of the package is known.
  return Object.defineProperty(error, Symbol.for('hotrow.StoreError'), { value: true })
}
