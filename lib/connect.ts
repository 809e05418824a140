/** `connect`: the store of other processes, used as if it were this one's. */
import { checkChoice, checkInteger, checkObject } from './checks.ts'
import { rangeError, typeError } from './errors.ts'
import { addon } from './native.ts'
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
 * cannot be used, with ERR_UNSUPPORTED when this side or a server cannot have the `transport`.
 *
 * @param servers - `'HOST:PORT'`, or several: all clients must name the same ones, in any order
 */
export async function connect(
  servers: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Store> {
  checkObject('options', options, ['timeoutMs', 'spinUs', 'tls', 'transport'])
  const list = typeof servers === 'string' ? [servers] : servers
  if (!Array.isArray(list)) throw typeError('servers', 'a string or an array of strings', servers)
  for (const server of list as unknown[]) {
    if (typeof server !== 'string') throw typeError('servers', 'strings', server)
    if (server.includes('\0')) throw rangeError('servers', 'HOST:PORT', server)
  }
  const { timeoutMs = 10_000, spinUs = 0 } = options
  const native = new addon.NativeStore('', undefined, {
    servers: [...list],
    timeoutMs: checkInteger('timeoutMs', timeoutMs, 1, 86_400_000),
    spinUs: checkInteger('spinUs', spinUs, 0, 1_000_000),
    tls: checkTls(options.tls, clientTlsFields),
    transport: checkChoice('transport', options.transport ?? 'tcp', transports),
  })
  try {
    return new Store(await native.open(), native)
  } catch (error) {
    await native.close()
    throw error
  }
}
