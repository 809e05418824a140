/** `connect`: the store of other processes, used as if it were this one's. */
import { checkChoice, checkFile, checkInteger, checkObject } from './checks.ts'
import {
  type ClusterAddress,
  firstPlacement,
  followPlacement,
  Registry,
} from './cluster/connect.ts'
import { rangeError, typeError } from './errors.ts'
import { addon } from './native.ts'
import { closers } from './native-stores.ts'
import { Store } from './store.ts'
import { type ClientTls, checkTls, clientTlsFields } from './tls.ts'
import { type Transport, transports } from './transport.ts'

/** Options of `connect`. */
export interface ConnectOptions {
  /**
   * A call that is not answered for so long rejects; 1 to 86,400,000, by default 10,000. Calls that
   * read or write files (`commit`, `rollback`, `verify`, `compact`, `diff`) may take an hour.
   */
  timeoutMs?: number
  /**
   * How long a waiting call looks for its answer before it sleeps, in microseconds: latency for
   * processor time. At most 1,000,000, by default 0.
   */
  spinUs?: number
  /**
   * TLS 1.3: how this client proves who it is, and knows its servers. Without it servers may only
   * be on addresses of this machine.
   */
  tls?: ClientTls
  /** `'tcp'` by default. With `'shm'` and `'rdma'`: that or no connection. */
  transport?: Transport
  /**
   * Of servers, by their names as they are given: those that follow them (`hotrow serve
   * --follow`), `'HOST:PORT'` or several. A `lookup` of one table with `maxAgeMs` goes to a
   * follower too where its server does not answer as soon as it answers 19 of 20, and takes the
   * rows that come first, all of one server; so it does where the server is gone. A follower whose
   * version is older than `maxAgeMs` does not answer. Not with etcd or a placement, which move
   * keys; over TCP only.
   */
  followers?: Readonly<Record<string, string | readonly string[]>>
  /**
   * A file to be made, in the place of one that is there, which shows each call's way to the
   * servers and back, for Perfetto and Chrome (docs/FORMATS.md, "Traces"); whole when the store is
   * closed, of at most 256 MiB. By default none: then it costs nothing.
   */
  trace?: string
}

/**
 * Connects to servers (`serve`, or `npx hotrow serve`). What it gives behaves as a store of this
 * process, with these differences:
 *
 * - Calls also reject with ERR_UNAVAILABLE (no server answers; nothing was done), ERR_TIMEOUT (it
 *   is not known whether it was done), ERR_BUSY, ERR_PROTOCOL and ERR_DENIED (this client may not
 *   do it; nothing was done).
 * - A broken connection is made again, and what was under way sent again, until the call's
 *   deadline. A change takes effect once all the same; where that cannot be known any more,
 *   ERR_SESSION_EXPIRED.
 * - When a server was started anew and has lost acknowledged changes of this client, every later
 *   call rejects with ERR_SESSION_EXPIRED: nothing is lost silently.
 * - With several servers, which share the keys of every table, a call is one request to each that
 *   has some of its keys, and a push that rejects may have been applied on some. A version is one
 *   of all servers or of none, whoever dies meanwhile; it has every push that had resolved before
 *   `commit` was called, on all of them, and of those made during the call perhaps a part. Its
 *   number is that of one server's, so numbers may leave some out. A `rollback` that rejects may
 *   have been done by some servers: call it again.
 * - `apply`, `snapshot`, `delta`, `at` and `follow` are about folders of the server's machine:
 *   ERR_UNSUPPORTED.
 *
 * Rejects with ERR_UNAVAILABLE when a server does not answer within the timeout, with ERR_DENIED
 * when one of the two does not accept the other, with ERR_INVALID_ARGUMENT when a file of `tls`
 * cannot be used, `trace` cannot be written, or a follower has other versions than its server, with
 * ERR_UNSUPPORTED when this side or a server cannot have the `transport`.
 *
 * Servers may have a placement (docs/FORMATS.md): then any of them leads to the others, and the
 * store follows when slots of keys go from one server to another. What a server refuses, because it
 * has those keys no more, is sent to where they are, until the call's deadline; ERR_WRONG_OWNER
 * where nobody says that they are his until then, and nothing was done with those keys; ERR_TIMEOUT
 * where other keys of the change were with servers that have applied their part.
 *
 * @param servers - `'HOST:PORT'`, or several: all clients must name the same ones, in any order,
 *   unless they have a placement; or the etcd of a cluster, whose placement is read, waited for
 *   until the timeout (ERR_NOT_FOUND), and watched
 */
export async function connect(
  servers: string | readonly string[] | ClusterAddress,
  options: ConnectOptions = {},
): Promise<Store> {
  const fields = ['timeoutMs', 'spinUs', 'tls', 'transport', 'followers', 'trace']
  checkObject('options', options, fields)
  const { timeoutMs = 10_000, spinUs = 0 } = options
  checkInteger('timeoutMs', timeoutMs, 1, 86_400_000)
  checkInteger('spinUs', spinUs, 0, 1_000_000)
  const tls = checkTls(options.tls, clientTlsFields)
  const transport = checkChoice('transport', options.transport ?? 'tcp', transports)
  const trace = checkFile('trace', options.trace)
  const followers = followersOf(options.followers)
  const registry = registryOf(servers)
  if (registry !== undefined && followers.length > 0) {
    throw rangeError('followers', 'none with etcd', options.followers)
  }
  const first =
    registry === undefined
      ? { servers: serverList(servers), text: '' }
      : await firstPlacement(registry, timeoutMs)
  const native = new addon.NativeStore('', undefined, {
    servers: first.servers,
    placement: first.text,
    timeoutMs,
    spinUs,
    tls,
    transport,
    followers,
    trace,
  })
  try {
    const store = new Store(await native.open(), native)
    if (registry !== undefined) closers.set(store, followPlacement(registry, native))
    return store
  } catch (error) {
    await native.close()
    throw error
  }
}

/** The cluster that is meant; undefined: servers are. */
function registryOf(servers: unknown): Registry | undefined {
  const isObject = typeof servers === 'object' && servers !== null && !Array.isArray(servers)
  if (!isObject) return undefined
  checkObject('servers', servers, ['etcd', 'cluster', 'etcdTls'])
  return new Registry(servers as ClusterAddress)
}

function serverList(servers: unknown): string[] {
  return addressList('servers', servers, 'a string, an array of strings or { etcd, cluster }')
}

/** Each server with its followers behind it. */
function followersOf(followers: unknown): string[][] {
  if (followers === undefined) return []
  if (typeof followers !== 'object' || followers === null || Array.isArray(followers)) {
    throw typeError('followers', 'an object of servers and their followers', followers)
  }
  return Object.entries(followers).map(([server, its]) => [
    ...addressList('followers', server, 'HOST:PORT'),
    ...addressList(`followers['${server}']`, its, 'a string or an array of strings'),
  ])
}

function addressList(name: string, addresses: unknown, expected: string): string[] {
  const list = typeof addresses === 'string' ? [addresses] : addresses
  if (!Array.isArray(list)) throw typeError(name, expected, addresses)
  for (const address of list as unknown[]) {
    if (typeof address !== 'string') throw typeError(name, 'strings', address)
    if (address.includes('\0')) throw rangeError(name, 'HOST:PORT', address)
  }
  return [...(list as string[])]
}
