/**
 * Requests for missed rows under way: one `getMany` for all keys of a batch that nobody else is
 * fetching already. A request belongs to no caller, so whoever stops waiting ends nobody else's.
 */

import { callError, StoreError } from '../errors.ts'
import { type Limit, limited, messageOf, tierError } from './limit.ts'
import type { RemoteTier } from './tier.ts'

/** A row's bytes, or undefined where the tier has none. */
export type RemoteRow = Uint8Array | undefined

interface Request {
  readonly version: number | undefined
  readonly rows: Promise<readonly RemoteRow[]>
}

interface Place {
  readonly request: Request
  readonly index: number
}

export class Flights {
  readonly #tier: RemoteTier
  readonly #table: string
  readonly #rowBytes: number
  readonly #timeoutMs: number
  readonly #places = new Map<bigint, Place>()
  /** Calls of `getMany` so far. */
  requests = 0

  constructor(tier: RemoteTier, table: string, rowBytes: number, timeoutMs: number) {
    this.#tier = tier
    this.#table = table
    this.#rowBytes = rowBytes
    this.#timeoutMs = timeoutMs
  }

  /**
   * The rows of distinct keys at a version: of the right size, or the error names the key.
   *
   * @param keys - [n]
   * @returns [n]
   */
  async fetch(keys: BigUint64Array, version: number | undefined): Promise<RemoteRow[]> {
    const places = Array.from(keys, (key) => this.#places.get(key))
    const own: number[] = []
    for (const [i, place] of places.entries()) {
      if (place?.request.version !== version || place === undefined) own.push(i)
    }
    if (own.length > 0) {
      const request = this.#send(
        BigUint64Array.from(own, (i) => keys[i] as bigint),
        version,
      )
      for (const [index, i] of own.entries()) places[i] = { request, index }
    }
    const rows: RemoteRow[] = []
    // One wait a request, not one a key.
    const answers = new Map<Request, readonly RemoteRow[]>()
    for (const request of new Set(places.map((place) => place!.request))) {
      answers.set(request, await request.rows)
    }
    for (const place of places) rows.push(answers.get(place!.request)![place!.index])
    return rows
  }

  #send(keys: BigUint64Array, version: number | undefined): Request {
    this.requests++
    // The tier may keep its array.
    const rows = this.#ask(keys.slice(), version).then((answer) => this.#checked(keys, answer))
    const request: Request = { version, rows }
    for (const [index, key] of keys.entries()) this.#places.set(key, { request, index })
    const land = (): void => {
      for (const key of keys) {
        if (this.#places.get(key)?.request === request) this.#places.delete(key)
      }
    }
    rows.then(land, land)
    return request
  }

  async #ask(keys: BigUint64Array, version: number | undefined): Promise<unknown> {
    const what = `reading ${keys.length} rows of '${this.#table}' from the remote tier`
    const limit: Limit = { what, timeoutMs: this.#timeoutMs }
    try {
      return await limited(limit, async (signal) =>
        this.#tier.getMany(this.#table, keys, { signal, version }),
      )
    } catch (error) {
      if (error instanceof StoreError) throw error
      throw tierError(`${what} failed: ${messageOf(error)}`, error)
    }
  }

  #checked(keys: BigUint64Array, answer: unknown): readonly RemoteRow[] {
    if (!Array.isArray(answer) || answer.length !== keys.length) {
      const given = Array.isArray(answer) ? `${answer.length}` : 'none'
      const text = `the remote tier gave ${given} rows for ${keys.length} keys of '${this.#table}'`
      throw callError('ERR_CORRUPTION', text)
    }
    return Array.from(answer as unknown[], (row, i) => this.#checkedRow(keys[i] as bigint, row))
  }

  #checkedRow(key: bigint, row: unknown): RemoteRow {
    if (row === undefined || row === null) return undefined
    const bytes = row instanceof Uint8Array ? row.byteLength : undefined
    if (bytes === this.#rowBytes) return row as Uint8Array
    const given = bytes === undefined ? 'no bytes' : `${bytes} bytes`
    const text = `the row of key ${key} of '${this.#table}' in the remote tier has ${given}`
    throw callError('ERR_CORRUPTION', `${text}, expected ${this.#rowBytes}`)
  }
}
