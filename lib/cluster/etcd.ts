/**
 * A client of etcd's HTTP/JSON gateway: what a placement needs of it, on Node's own `http`. Answers
 * are bounded, and every request ends.
 */
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { callError, rangeError, StoreError, typeError } from '../errors.ts'

/** Files that make a connection to etcd mutually authenticated. */
export interface EtcdTls {
  /** Authorities that etcd's certificate may come from, PEM; by default Node's. */
  caFile?: string
  /** This process's certificate and key, PEM. */
  certFile?: string
  keyFile?: string
}

/** One key with its value, and the revisions at which it was changed last. */
export interface EtcdValue {
  key: string
  value: string
  /** Of its last change; what a compare-and-swap compares. */
  revision: string
  /** Of its creation: another one after it was deleted and put again. */
  created: string
}

/** What must hold of another key for a change to be made. */
export interface Condition {
  key: string
  /** Of its creation, or of its last change. */
  target: 'CREATE' | 'MOD'
  revision: string
}

type Json = Record<string, unknown>

const mostAnswerBytes = 2 ** 23
/** For how long etcd may take until a watch has begun. */
const watchBeginsMs = 10_000
const loopback = new Set(['127.0.0.1', '[::1]', 'localhost'])
/** Codes of gRPC. */
const unauthenticated = 16
const permissionDenied = 7
const unavailable = 14

const encode = (text: string): string => Buffer.from(text).toString('base64')
const decode = (text: unknown): string => Buffer.from(String(text ?? ''), 'base64').toString()

function failure(code: 'ERR_UNAVAILABLE' | 'ERR_PROTOCOL' | 'ERR_DENIED', message: string) {
  const retryable = code === 'ERR_UNAVAILABLE'
  return new StoreError(code, message, { scope: 'call', outcome: 'none', retryable })
}

/** The URLs of etcd's members. What leaves this machine must be encrypted. */
export function checkEtcdUrls(value: unknown): URL[] {
  const list = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list)) throw typeError('etcd', 'a URL or an array of URLs', value)
  if (list.length === 0) throw rangeError('etcd', 'at least one URL', value)
  return list.map((each: unknown) => {
    if (typeof each !== 'string') throw typeError('etcd', 'URLs', each)
    const url = URL.canParse(each) ? new URL(each) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw rangeError('etcd', 'URLs as http://127.0.0.1:2379', each)
    }
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
      throw rangeError('etcd', 'URLs without credentials and parameters', url.host)
    }
    if (url.protocol === 'http:' && !loopback.has(url.hostname)) {
      throw rangeError('etcd', 'https:// for hosts beyond this machine', each)
    }
    return url
  })
}

function readTls(tls: EtcdTls | undefined): RequestOptions {
  const read = (argument: string, file: string | undefined): Buffer | undefined => {
    if (file === undefined) return undefined
    try {
      return readFileSync(file)
    } catch (error) {
      throw callError('ERR_INVALID_ARGUMENT', `etcdTls.${argument}: ${(error as Error).message}`)
    }
  }
  const files = {
    ca: read('caFile', tls?.caFile),
    cert: read('certFile', tls?.certFile),
    key: read('keyFile', tls?.keyFile),
  }
  return Object.fromEntries(Object.entries(files).filter(([, its]) => its !== undefined))
}

function parsed(text: string, url: URL): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw failure('ERR_PROTOCOL', `etcd at ${url.origin}: its answer is not etcd's`)
}

/** Of an answer's parts. */
function objectOf(value: unknown): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw failure('ERR_PROTOCOL', 'etcd: an answer of another form')
}

function refused(status: number, text: string, url: URL): StoreError {
  let answer: Json = {}
  try {
    answer = parsed(text, url)
  } catch {}
  const { code } = answer
  const said = String(answer['message'] ?? answer['error'] ?? `HTTP status ${status}`)
  const message = `etcd at ${url.origin}: ${said.slice(0, 200)}`
  if (status === 401 || code === unauthenticated || code === permissionDenied) {
    return failure('ERR_DENIED', message)
  }
  const gone = status === 503 || status === 504 || code === unavailable
  return failure(gone ? 'ERR_UNAVAILABLE' : 'ERR_PROTOCOL', message)
}

export class Etcd {
  readonly #urls: readonly URL[]
  readonly #tls: RequestOptions
  /** The member that answered last. */
  #first = 0

  constructor(urls: readonly URL[], tls?: EtcdTls) {
    this.#urls = urls
    this.#tls = readTls(tls)
  }

  /** Begins a request; resolves when its answer begins. */
  #send(
    url: URL,
    path: string,
    body: Json,
    signal: AbortSignal,
    keepsAlive = true,
  ): Promise<IncomingMessage> {
    return new Promise((done, fail) => {
      const text = JSON.stringify(body)
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      }
      const make = url.protocol === 'https:' ? tlsRequest : plainRequest
      const options = { ...this.#tls, method: 'POST', headers, signal, agent: false as const }
      const request = make(new URL(path, url), options, done)
      request.on('error', fail)
      if (!keepsAlive) request.on('socket', (socket) => socket.unref())
      request.end(text)
    })
  }

  async #askOne(url: URL, path: string, body: Json, timeoutMs: number): Promise<Json> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    try {
      const answer = await this.#send(url, path, body, late.signal)
      let text = ''
      answer.setEncoding('utf8')
      for await (const piece of answer) {
        text += piece
        if (text.length > mostAnswerBytes) {
          throw failure('ERR_PROTOCOL', `etcd at ${url.origin}: its answer does not end`)
        }
        // Of a stream, as keep-alives are, the first line.
        if (path === '/v3/lease/keepalive' && text.includes('\n')) break
      }
      if (answer.statusCode !== 200) throw refused(answer.statusCode ?? 0, text, url)
      return parsed(text, url)
    } catch (error) {
      if (error instanceof StoreError) throw error
      const why = late.signal.aborted ? `no answer in ${timeoutMs} ms` : (error as Error).message
      throw failure('ERR_UNAVAILABLE', `etcd at ${url.origin}: ${why}`)
    } finally {
      clearTimeout(timer)
      late.abort()
    }
  }

  /** Asks one member after the other until one answers; `asked` says how many. */
  async ask(path: string, body: Json, timeoutMs: number, asked = { members: 0 }): Promise<Json> {
    const end = Date.now() + timeoutMs
    let last: unknown
    for (let i = 0; i < this.#urls.length; i++) {
      const member = (this.#first + i) % this.#urls.length
      // A share each, so that one that hangs leaves time for the others.
      asked.members = i + 1
      const share = Math.max((end - Date.now()) / (this.#urls.length - i), 1)
      try {
        const answer = await this.#askOne(this.#urls[member] as URL, path, body, Math.ceil(share))
        this.#first = member
        return answer
      } catch (error) {
        last = error
      }
    }
    throw last
  }

  /** All values whose keys begin with `prefix`. */
  async list(prefix: string, timeoutMs: number): Promise<EtcdValue[]> {
    // Keys up to before the prefix with its last byte one higher.
    const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
    const body = { key: encode(prefix), range_end: encode(end) }
    return valuesOf(await this.ask('/v3/kv/range', body, timeoutMs))
  }

  /** The values of some keys at one moment; undefined for those that there are none of. */
  async get(keys: readonly string[], timeoutMs: number): Promise<(EtcdValue | undefined)[]> {
    const success = keys.map((key) => ({ request_range: { key: encode(key) } }))
    const answer = await this.ask('/v3/kv/txn', { success }, timeoutMs)
    const { responses } = answer
    if (!Array.isArray(responses) || responses.length !== keys.length) {
      throw failure('ERR_PROTOCOL', 'etcd: an answer without what was asked for')
    }
    return responses.map((each) => valuesOf(objectOf(objectOf(each)['response_range'] ?? {}))[0])
  }

  /**
   * Puts the value when the key was changed last at `revision`, `'0'`: when there is none. False
   * when somebody else has changed it.
   */
  async swap(key: string, revision: string, value: string, timeoutMs: number): Promise<boolean> {
    const { succeeded, members } = await this.#swap(key, revision, value, [], timeoutMs)
    if (succeeded) return true
    if (members === 1) return false
    // A member whose answer was lost may have put it, before the other was asked.
    const [its] = await this.get([key], timeoutMs)
    return its?.value === value
  }

  /**
   * As swap(), if all conditions hold, too. False: it was not put and never will be. Rejects where
   * that is not known: as long as its conditions hold it may still be.
   */
  async swapIf(
    key: string,
    revision: string,
    value: string,
    conditions: readonly Condition[],
    timeoutMs: number,
  ): Promise<boolean> {
    const { succeeded, members } = await this.#swap(key, revision, value, conditions, timeoutMs)
    if (succeeded || members === 1) return succeeded
    const [its] = await this.get([key], timeoutMs)
    if (its?.value === value) return true
    throw failure('ERR_UNAVAILABLE', `etcd: it is not known whether '${key}' was changed`)
  }

  async #swap(
    key: string,
    revision: string,
    value: string,
    conditions: readonly Condition[],
    timeoutMs: number,
  ): Promise<{ succeeded: boolean; members: number }> {
    const compare = [{ key, target: 'MOD', revision }, ...conditions].map((each) => ({
      key: encode(each.key),
      result: 'EQUAL',
      target: each.target,
      [each.target === 'MOD' ? 'mod_revision' : 'create_revision']: each.revision,
    }))
    const success = [{ request_put: { key: encode(key), value: encode(value) } }]
    const asked = { members: 0 }
    const answer = await this.ask('/v3/kv/txn', { compare, success }, timeoutMs, asked)
    return { succeeded: answer['succeeded'] === true, members: asked.members }
  }

  /** Puts the value under a lease where there is none; false: there is one. */
  async create(key: string, value: string, lease: string, timeoutMs: number): Promise<boolean> {
    const compare = [{ key: encode(key), result: 'EQUAL', target: 'CREATE', create_revision: '0' }]
    const success = [{ request_put: { key: encode(key), value: encode(value), lease } }]
    await this.ask('/v3/kv/txn', { compare, success }, timeoutMs)
    // By what is there, as an answer may have been lost.
    const [its] = await this.get([key], timeoutMs)
    return its?.value === value
  }

  async put(key: string, value: string, lease: string, timeoutMs: number): Promise<void> {
    await this.ask('/v3/kv/put', { key: encode(key), value: encode(value), lease }, timeoutMs)
  }

  /** A new lease, and for how long it holds, from before this call on. */
  async grant(ttlMs: number, timeoutMs: number): Promise<{ id: string; ttlMs: number }> {
    const answer = await this.ask('/v3/lease/grant', { TTL: Math.ceil(ttlMs / 1000) }, timeoutMs)
    const { ID, TTL } = answer
    if (typeof ID !== 'string' || !(Number(TTL) > 0)) {
      throw failure('ERR_PROTOCOL', 'etcd: a lease without an id')
    }
    return { id: ID, ttlMs: Number(TTL) * 1000 }
  }

  /** For how long the lease holds from before this call on; 0: it has ended. */
  async keepAlive(id: string, timeoutMs: number): Promise<number> {
    const answer = await this.ask('/v3/lease/keepalive', { ID: id }, timeoutMs)
    const result = objectOf(answer['result'] ?? {})
    const ttl = Number(result['TTL'] ?? 0)
    return Number.isFinite(ttl) && ttl > 0 ? ttl * 1000 : 0
  }

  async revoke(id: string, timeoutMs: number): Promise<void> {
    await this.ask('/v3/lease/revoke', { ID: id }, timeoutMs)
  }

  /**
   * Calls `changed` at once and whenever the key may have changed, until the connection ends, which
   * rejects, or `signal` aborts. Does not keep the process alive.
   */
  async watch(key: string, changed: () => void, signal: AbortSignal): Promise<void> {
    const url = this.#urls[this.#first] as URL
    const body = { create_request: { key: encode(key) } }
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), watchBeginsMs)
    timer.unref()
    let answer: IncomingMessage
    try {
      const either = AbortSignal.any([signal, late.signal])
      answer = await this.#send(url, '/v3/watch', body, either, false)
    } finally {
      clearTimeout(timer)
    }
    if (answer.statusCode !== 200) {
      answer.destroy()
      throw refused(answer.statusCode ?? 0, '', url)
    }
    // What an event says is read anew: every piece of one is a reason to look.
    for await (const _ of answer) changed()
    throw failure('ERR_UNAVAILABLE', `etcd at ${url.origin}: it has ended the watch`)
  }

  /** Asks another member next time. */
  turn(): void {
    this.#first = (this.#first + 1) % this.#urls.length
  }
}

function valuesOf(range: Json): EtcdValue[] {
  const { kvs = [] } = range
  if (!Array.isArray(kvs)) throw failure('ERR_PROTOCOL', 'etcd: an answer without keys')
  return kvs.map((each: unknown) => {
    const its = objectOf(each)
    return {
      key: decode(its['key']),
      value: decode(its['value']),
      revision: String(its['mod_revision'] ?? '0'),
      created: String(its['create_revision'] ?? '0'),
    }
  })
}
