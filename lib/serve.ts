/** `serve`: a socket in front of a store. */
import type { NativeServer } from './addon.ts'
import { checkInteger, checkObject } from './checks.ts'
import { closedError, typeError } from './errors.ts'
import type { ServerStats } from './figures.ts'
import { addon } from './native.ts'
import { nativeStoreOf } from './native-stores.ts'
import type { Store } from './store.ts'
import { checkTls, type ServerTls, serverTlsFields } from './tls.ts'

/** Options of `serve`. */
export interface ServerOptions {
  /**
   * `'HOST:PORT'`, by default `'127.0.0.1:0'`; port 0 is one of the system's choice. Without `tls`
   * only hosts that are this machine: what leaves it would be neither encrypted nor authenticated.
   */
  listen?: string
  /** Threads that serve connections, 1 to 256; by default 1. */
  threads?: number
  /**
   * How long an idle thread looks for work before it sleeps, in microseconds: latency for processor
   * time. At most 1,000,000, by default 0.
   */
  spinUs?: number
  /** By default 1,024. */
  mostConnections?: number
  /** Of a request or reply: 64 KiB to 1 GiB, a multiple of 64; by default 64 MiB. */
  mostBodyBytes?: number
  /**
   * How long a session outlives its connection: whoever comes back within it has each push applied
   * once. By default 60,000.
   */
  sessionMs?: number
  /**
   * Bytes of gradients that may wait for the end of their step (`store.worker` with mode `'bulk'`),
   * of all groups: pushes beyond it reject with ERR_CAPACITY. What is being applied counts too;
   * one step at a time is summed, and then up to twice as much is in use, beside what any push
   * needs. 64 KiB to 64 GiB, by default 1 GiB.
   */
  mostHeldBytes?: number
  /** TLS 1.3, and whom the server lets in. Without it whoever reaches it may do everything. */
  tls?: ServerTls
}

const fields = [
  ...['listen', 'threads', 'spinUs', 'mostConnections', 'mostBodyBytes', 'sessionMs'],
  ...['mostHeldBytes', 'tls'],
]

/** A running server; made by `serve`. */
export class Server {
  /** `'HOST:PORT'` as it is. */
  readonly address: string
  readonly #native: NativeServer
  #stopping: Promise<void> | undefined
  /** As every server, it keeps its process alive. */
  readonly #alive = setInterval(() => {}, 2 ** 30)

  /** @internal */
  constructor(address: string, native: NativeServer) {
    this.address = address
    this.#native = native
  }

  /** What it has done since it started. */
  stats(): ServerStats {
    return this.#native.stats()
  }

  /**
   * Lets nobody in, ends what is under way and closes the connections. Commits nothing, and leaves
   * the store open. Stopping again is fine. Until then the process stays alive.
   */
  stop(): Promise<void> {
    clearInterval(this.#alive)
    this.#stopping ??= this.#native.stop()
    return this.#stopping
  }

  /** `await using server = await serve(…)` stops it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/**
 * Serves a store to other processes, which use it through `connect` as if it were theirs. This
 * process may go on using it too. Stop the server before the store is closed.
 *
 * Rejects with ERR_UNAVAILABLE when the address cannot be had, with ERR_INVALID_ARGUMENT when a
 * file of `tls` cannot be used.
 */
export async function serve(store: Store, options: ServerOptions = {}): Promise<Server> {
  checkObject('options', options, fields)
  if (store.closed) throw closedError(`the store '${store.path}'`)
  const { listen = '127.0.0.1:0', threads = 1, spinUs = 0, mostConnections = 1024 } = options
  const { mostBodyBytes = 2 ** 26, sessionMs = 60_000, mostHeldBytes = 2 ** 30 } = options
  if (typeof listen !== 'string') throw typeError('listen', 'a string', listen)
  const native = new addon.NativeServer(nativeStoreOf('store', store), {
    listen,
    threads: checkInteger('threads', threads, 1, 256),
    spinUs: checkInteger('spinUs', spinUs, 0, 1_000_000),
    mostConnections: checkInteger('mostConnections', mostConnections, 1, 2 ** 20),
    mostBodyBytes: checkInteger('mostBodyBytes', mostBodyBytes, 2 ** 16, 2 ** 30),
    sessionMs: checkInteger('sessionMs', sessionMs, 0, 2 ** 32 - 1),
    mostHeldBytes: checkInteger('mostHeldBytes', mostHeldBytes, 2 ** 16, 2 ** 36),
    tls: checkTls(options.tls, serverTlsFields),
  })
  try {
    return new Server(await native.start(), native)
  } catch (error) {
    await native.stop()
    throw error
  }
}
