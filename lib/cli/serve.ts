/** `hotrow serve`: a server of a store, until it is told to stop. */
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { StoreError } from '../errors.ts'
import type { Store } from '../store.ts'
import type { ServerTls } from '../tls.ts'
import type { Transport } from '../transport.ts'
import { clusterOf, etcdFlags } from './cluster.ts'
import { type Call, type Command, number, UsageError } from './command.ts'
import { serveMetrics } from './metrics.ts'

/** Resolves when the user interrupts. */
function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done()
    signal.addEventListener('abort', () => done(), { once: true })
  })
}

/** The flags that were given, as options. */
function options<T>(flags: Record<string, T | undefined>): Record<string, T> {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as Record<string, T>
}

/** The flags about TLS and the options that they are. */
const tlsFlags: Readonly<Record<string, keyof ServerTls>> = {
  'tls-cert': 'certFile',
  'tls-key': 'keyFile',
  'tls-ca': 'caFile',
  'psk-file': 'pskFile',
  'token-file': 'tokenFile',
  'access-file': 'accessFile',
}

function tlsOf(call: Call): ServerTls | undefined {
  const given = options(
    Object.fromEntries(Object.entries(tlsFlags).map(([flag, name]) => [name, call.text(flag)])),
  )
  return Object.keys(given).length > 0 ? (given as ServerTls) : undefined
}

function addressOf(http: HttpServer): string {
  const { address, family, port } = http.address() as AddressInfo
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** A store that is closed at the end. */
interface Opened {
  store: Store
  /** Is there something to commit before? */
  writes: boolean
  close(): Promise<void>
}

/** The store at a path, or one that goes from version to version with its source. */
async function opened(path: string, call: Call): Promise<Opened> {
  const source = call.text('follow')
  if (source === undefined) {
    const readOnly = call.given('read-only')
    const { open } = await import('../open.ts')
    const store = await open(path, { readOnly })
    return { store, writes: !readOnly, close: () => store.close() }
  }
  if (clusterOf(call) !== undefined) {
    throw new UsageError('--follow: servers of a cluster have rows of their own; leave out --etcd')
  }
  const isFolder = !source.startsWith('s3:')
  if (isFolder && resolve(source) !== resolve(path)) {
    throw new UsageError(`--follow: expected s3://bucket/prefix or '${path}', received '${source}'`)
  }
  const { follow } = await import('../follow.ts')
  const onError = (error: unknown): void => {
    const { message, code } = error as StoreError
    call.output.error(`following ${source}: ${message}`, code)
  }
  const follower = isFolder
    ? await follow(path, { onError })
    : await follow(source as `s3://${string}`, { path, onError })
  return { store: follower.store, writes: false, close: () => follower.close() }
}

async function serveUntilInterrupted(store: Store, call: Call): Promise<void> {
  const { serve } = await import('../serve.ts')
  const server = await serve(store, {
    listen: call.text('listen') ?? '127.0.0.1:7070',
    ...options({ threads: number(call, 'threads'), spinUs: number(call, 'spin-us') }),
    ...options({ trace: call.text('trace') }),
    ...options({ tls: tlsOf(call), advertise: call.text('advertise') }),
    ...options({ weight: number(call, 'weight'), leaseMs: number(call, 'lease-ms') }),
    ...clusterOf(call),
    ...options({ transport: call.text('transport') as Transport | undefined }),
  })
  try {
    const wanted = call.text('metrics')
    const http = wanted === undefined ? undefined : await serveMetrics(wanted, store, server)
    const { version } = await store.version()
    const metrics = http === undefined ? undefined : addressOf(http)
    call.output.result({ address: server.address, path: store.path, version, metrics }, () => {
      const more = metrics === undefined ? '' : `, figures on http://${metrics}/metrics`
      return `serving ${store.path}, version ${version}, on ${server.address}${more}`
    })
    await interrupted(call.signal)
    http?.close()
    http?.closeAllConnections()
  } finally {
    await server.stop()
  }
}

export const serveCommand: Command = {
  name: 'serve',
  summary: 'serve a store to other processes until interrupted, then commit',
  positionals: ['PATH'],
  flags: {
    listen: {
      type: 'string',
      value: 'HOST:PORT',
      help: "default 127.0.0.1:7070; other hosts with TLS only; port 0: the system's choice",
    },
    threads: { type: 'string', value: 'N', help: 'threads that serve connections; default 1' },
    'spin-us': { type: 'string', value: 'N', help: 'look for work so long before sleeping' },
    transport: {
      type: 'string',
      value: 'NAME',
      help: 'what clients may have beside TCP: tcp (nothing, the default), shm, rdma, auto',
    },
    metrics: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'figures for Prometheus over HTTP, on this machine only',
    },
    trace: {
      type: 'string',
      value: 'FILE',
      help: "each request's stages, for Perfetto and Chrome; see `hotrow trace --help`",
    },
    'tls-cert': { type: 'string', value: 'FILE', help: "the server's certificate, PEM" },
    'tls-key': { type: 'string', value: 'FILE', help: 'its private key, PEM' },
    'tls-ca': {
      type: 'string',
      value: 'FILE',
      help: 'authorities whose certificates clients may have, PEM',
    },
    'psk-file': { type: 'string', value: 'FILE', help: 'pre-shared keys of clients' },
    'token-file': { type: 'string', value: 'FILE', help: 'tokens of clients' },
    'access-file': {
      type: 'string',
      value: 'FILE',
      help: 'what each client may do, JSON; default: all are trainers',
    },
    ...etcdFlags,
    advertise: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'where clients of the cluster reach it; default: where it listens',
    },
    weight: { type: 'string', value: 'N', help: "share of the cluster's slots; default 1" },
    'lease-ms': {
      type: 'string',
      value: 'N',
      help: 'counts as alive so long without a sign; default 10000',
    },
    'read-only': { type: 'boolean', help: 'the newest version, for reading' },
    follow: {
      type: 'string',
      value: 'SOURCE',
      help: 'for reading, and every newer version as it comes: PATH itself or s3://bucket/prefix',
    },
  },
  details: [
    'Clients connect with connect("HOST:PORT") of the package. A store that is not there is',
    'made. On SIGINT or SIGTERM the server stops, and what was changed is committed, unless',
    'it is --read-only. What clients had acknowledged and nobody had committed is lost when',
    'the process is killed.',
    '',
    'With --follow the server goes from version to version, for all tables at once: with PATH',
    'those that another process commits there, with s3://bucket/prefix those that are published',
    'there, for which PATH is a folder of its own on this machine (and the package',
    '@aws-sdk/client-s3 and its environment variables are needed).',
    '',
    'Addresses beyond this machine need TLS: a key file alone (--psk-file), or --tls-cert',
    'and --tls-key with --tls-ca (certificates of clients), --token-file or several of',
    'them. Lines of key and token files are IDENTITY:SECRET, as `hotrow key` writes them.',
    '',
    'With --etcd and --cluster the server is one of several that share every table: it',
    'answers for the keys that the placement gives it. See `hotrow cluster --help`.',
  ].join('\n'),
  async run(call) {
    const [path] = call.positionals as [string]
    const { store, writes, close } = await opened(path, call)
    try {
      await serveUntilInterrupted(store, call)
      if (!writes) return
      const { version } = await store.commit()
      call.output.result({ version }, () => `stopped at version ${version}`)
    } finally {
      await close()
    }
  },
}
