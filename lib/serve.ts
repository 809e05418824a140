/** `serve`: a socket in front of a store. */
import type { NativeServer } from './addon-server.ts'
import { checkChoice, checkFile, checkInteger, checkNotNegative, checkObject } from './checks.ts'
import type { EtcdTls } from './cluster/etcd.ts'
import { Membership } from './cluster/membership.ts'
import { type ClusterPlacement, Registry } from './cluster/registry.ts'
import { closedError, rangeError, typeError } from './errors.ts'
import type { ServerStats } from './figures.ts'
import { addon } from './native.ts'
import { nativeStoreOf } from './native-stores.ts'
import type { Store } from './store.ts'
import { checkTls, type ServerTls, serverTlsFields } from './tls.ts'
import { type Transport, transports } from './transport.ts'

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
  /**
   * URLs of etcd's members, `http://` on this machine, `https://` anywhere. With it, and `cluster`,
   * the server is one of a cluster: it says there that it is alive, answers for the keys that the
   * cluster's placement gives it, and for none as long as there is no placement.
   */
  etcd?: string | readonly string[]
  /** Name of the cluster: 1 to 63 letters, digits, `.`, `_` and `-`. */
  cluster?: string
  /** Files for `https://` to etcd. */
  etcdTls?: EtcdTls
  /**
   * `'HOST:PORT'` as clients reach it, its name in the placement; by default its address. Needed
   * where `listen` names all of the machine's addresses.
   */
  advertise?: string
  /** Its share of slots relative to others when slots are placed: 0 to 1,000,000, by default 1. */
  weight?: number
  /**
   * For how long the server counts as alive when etcd hears nothing of it, and, less a tenth, for
   * how long it answers when it cannot reach etcd: 2,000 to 600,000, by default 10,000.
   */
  leaseMs?: number
  /**
   * What clients may have instead of TCP: nothing (`'tcp'`, the default), one of the two others, or
   * either (`'auto'`). Clients that want TCP have it whatever this is.
   */
  transport?: Transport
  /**
   * A file to be made, in the place of one that is there, which shows each request's stages, for
   * Perfetto and Chrome (docs/FORMATS.md, "Traces"); whole when the server has stopped, of at most
   * 256 MiB. By default none: then it costs nothing.
   */
  trace?: string
}

/** What a server of a cluster goes by. */
export interface ServerPlacement {
  /** Undefined: there is none yet, and the server refuses all keys. */
  placement: ClusterPlacement | undefined
  /** Why etcd or its placement could not be looked at the last time; undefined: they could. */
  problem: string | undefined
}

const ofCluster = ['etcd', 'cluster', 'etcdTls', 'advertise', 'weight', 'leaseMs']
const fields = [
  ...['listen', 'threads', 'spinUs', 'mostConnections', 'mostBodyBytes', 'sessionMs'],
  ...['mostHeldBytes', 'tls', 'transport', 'trace', ...ofCluster],
]

/** A running server; made by `serve`. */
export class Server {
  /** `'HOST:PORT'` as it is. */
  readonly address: string
  readonly #native: NativeServer
  readonly #membership: Membership | undefined
  #stopping: Promise<void> | undefined
  /** As every server, it keeps its process alive. */
  readonly #alive = setInterval(() => {}, 2 ** 30)

  /** @internal */
  constructor(address: string, native: NativeServer, membership?: Membership) {
    this.address = address
    this.#native = native
    this.#membership = membership
  }

  /** What it has done since it started. */
  stats(): ServerStats {
    return this.#native.stats()
  }

  /** What it goes by; undefined: it is in no cluster. */
  placement(): ServerPlacement | undefined {
    const its = this.#membership
    return its && { placement: its.placement, problem: its.problem }
  }

  /**
   * Lets nobody in, ends what is under way and closes the connections. Commits nothing, and leaves
   * the store open. Stopping again is fine. Until then the process stays alive.
   */
  stop(): Promise<void> {
    clearInterval(this.#alive)
    this.#membership?.leave()
    // Its slots may be others' once its lease has ended, so that comes last.
    this.#stopping ??= this.#native.stop().then(() => this.#membership?.stop())
    return this.#stopping
  }

  /** `await using server = await serve(…)` stops it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** Whether clients could go there: no port 0, and no host that means every host. */
function isReachable(address: string): boolean {
  const [, host, port] = /^([^:[\]]+|\[[^[\]]+\]):(\d{1,5})$/.exec(address) ?? []
  if (host === undefined || address.length > 255 || !/^[!-~]+$/.test(host)) return false
  if (/^(0\.0\.0\.0|\[[:0]*\])$/.test(host)) return false
  return Number(port) >= 1 && Number(port) <= 65_535
}

/** Undefined: the server is in no cluster. */
function checkMember(options: ServerOptions) {
  const { etcd, cluster, etcdTls, advertise, weight = 1, leaseMs = 10_000 } = options
  if (etcd === undefined || cluster === undefined) {
    const alone = ofCluster.find((name) => options[name as keyof ServerOptions] !== undefined)
    if (alone !== undefined) throw rangeError('options', 'etcd and cluster together', alone)
    return undefined
  }
  if (advertise !== undefined && typeof advertise !== 'string') {
    throw typeError('advertise', 'a string', advertise)
  }
  if (advertise !== undefined && !isReachable(advertise)) {
    throw rangeError(
      'advertise',
      'HOST:PORT, port 1 to 65535, of a host as clients reach it',
      advertise,
    )
  }
  const { listen = '127.0.0.1:0' } = options
  if (advertise === undefined && /^(0\.0\.0\.0|\[[:0]*\]):/.test(String(listen))) {
    throw rangeError(
      'advertise',
      'HOST:PORT, as listen names no host that clients reach',
      advertise,
    )
  }
  if (!(checkNotNegative('weight', weight) <= 1e6)) {
    throw rangeError('weight', 'a number from 0 to 1000000', weight)
  }
  checkInteger('leaseMs', leaseMs, 2000, 600_000)
  const registry = new Registry({ etcd, cluster, ...(etcdTls === undefined ? {} : { etcdTls }) })
  return { registry, advertise, weight, leaseMs }
}

/**
 * Serves a store to other processes, which use it through `connect` as if it were theirs. This
 * process may go on using it too. Stop the server before the store is closed.
 *
 * Rejects with ERR_UNAVAILABLE when the address cannot be had, with ERR_INVALID_ARGUMENT when a
 * file of `tls` cannot be used or `trace` cannot be written, with ERR_UNSUPPORTED when this machine
 * has no such `transport`, and with ERR_UNAVAILABLE when etcd does not answer.
 */
export async function serve(store: Store, options: ServerOptions = {}): Promise<Server> {
  checkObject('options', options, fields)
  if (store.closed) throw closedError(`the store '${store.path}'`)
  const { listen = '127.0.0.1:0', threads = 1, spinUs = 0, mostConnections = 1024 } = options
  const { mostBodyBytes = 2 ** 26, sessionMs = 60_000, mostHeldBytes = 2 ** 30 } = options
  if (typeof listen !== 'string') throw typeError('listen', 'a string', listen)
  const cluster = checkMember(options)
  const native = new addon.NativeServer(nativeStoreOf('store', store), {
    listen,
    threads: checkInteger('threads', threads, 1, 256),
    spinUs: checkInteger('spinUs', spinUs, 0, 1_000_000),
    mostConnections: checkInteger('mostConnections', mostConnections, 1, 2 ** 20),
    mostBodyBytes: checkInteger('mostBodyBytes', mostBodyBytes, 2 ** 16, 2 ** 30),
    sessionMs: checkInteger('sessionMs', sessionMs, 0, 2 ** 32 - 1),
    mostHeldBytes: checkInteger('mostHeldBytes', mostHeldBytes, 2 ** 16, 2 ** 36),
    placed: cluster !== undefined,
    tls: checkTls(options.tls, serverTlsFields),
    transport: checkChoice('transport', options.transport ?? 'tcp', transports),
    trace: checkFile('trace', options.trace),
  })
  try {
    const address = await native.start()
    if (cluster === undefined) return new Server(address, native)
    const { advertise = address, weight, leaseMs } = cluster
    const member = { server: advertise, weight, leaseMs }
    return new Server(address, native, await Membership.join(cluster.registry, native, member))
  } catch (error) {
    await native.stop()
    throw error
  }
}
