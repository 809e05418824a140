/** Figures of a server and its store for Prometheus, over HTTP. */
import { createServer, type Server as HttpServer } from 'node:http'
import type { LatencySummary, RequestLatency, StoreStats } from '../figures.ts'
import type { Server } from '../serve.ts'
import type { Store } from '../store.ts'
import { UsageError } from './command.ts'

type Labels = Readonly<Record<string, string>>

const hosts = /^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

/** A label's value as the format has it: names of tables are free text. */
function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (each) => escapes[each] as string)
}

/** One metric in Prometheus's text format. */
function metric(
  name: string,
  type: 'gauge' | 'counter' | 'summary',
  help: string,
  samples: readonly (readonly [Labels, number, string?])[],
): string {
  const lines = samples.map(([labels, value, suffix = '']) => {
    const texts = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
    return `hotrow_${name}${suffix}${texts.length > 0 ? `{${texts.join(',')}}` : ''} ${value}`
  })
  return [`# HELP hotrow_${name} ${help}`, `# TYPE hotrow_${name} ${type}`, ...lines].join('\n')
}

function summary(labels: Labels, its: LatencySummary): (readonly [Labels, number, string?])[] {
  const seconds = (ns: number): number => ns / 1e9
  const quantiles = { '0.5': its.p50Ns, '0.9': its.p90Ns, '0.99': its.p99Ns, '0.999': its.p999Ns }
  return [
    ...Object.entries(quantiles).map(
      ([quantile, ns]) => [{ ...labels, quantile }, seconds(ns)] as const,
    ),
    [labels, seconds(its.meanNs * its.count), '_sum'],
    [labels, its.count, '_count'],
  ]
}

/** How long requests took, of each stage that has come. */
function stages(labels: Labels, its: RequestLatency): ReturnType<typeof summary> {
  const names = ['queue', 'decode', 'work', 'encode', 'send'] as const
  return names
    .filter((stage) => its[stage].count > 0)
    .flatMap((stage) => summary({ ...labels, stage }, its[stage]))
}

/** Of the workers of training jobs. */
function workers(groups: ReturnType<Server['stats']>['groups']): string[] {
  const each = (value: (its: (typeof groups)[number]['workers'][number]) => number) =>
    groups.flatMap(({ group, workers }) =>
      workers.map((its) => [{ group, worker: String(its.index) }, value(its)] as const),
    )
  const whole = (value: (its: (typeof groups)[number]) => number) =>
    groups.map((its) => [{ group: its.group }, value(its)] as const)
  if (groups.length === 0) return []
  return [
    metric(
      'worker_clock',
      'gauge',
      'Steps that a worker has ended.',
      each((its) => its.clock),
    ),
    metric(
      'worker_alive',
      'gauge',
      'Whether a worker is waited for: 1 or 0.',
      each((its) => Number(its.alive)),
    ),
    metric(
      'worker_behind_seconds',
      'gauge',
      'For how long a worker has been behind the foremost one.',
      each((its) => its.behindMs / 1000),
    ),
    metric(
      'workers_dropped_total',
      'counter',
      'Workers whose lease ran out.',
      whole((its) => its.dropped),
    ),
    metric(
      'held_bytes',
      'gauge',
      'Gradients that wait for the end of their step.',
      whole((its) => its.heldBytes),
    ),
  ]
}

/** What a scrape gives. */
export function metricsText(store: StoreStats, server: ReturnType<Server['stats']>): string {
  const { latency } = store
  const one = (value: number) => [[{}, value] as const]
  const purposes = {
    rows: store.rowMemoryBytes,
    index: store.indexMemoryBytes,
    filters: store.filterMemoryBytes,
    hot_keys: store.hotKeysMemoryBytes,
    dense: store.denseMemoryBytes,
  }
  const memory = Object.entries(purposes).map(([purpose, bytes]) => [{ purpose }, bytes] as const)
  const operations = Object.entries(latency) as [string, LatencySummary][]
  return `${[
    metric('rows', 'gauge', 'Rows of all tables.', one(store.rows)),
    metric('memory_limit_bytes', 'gauge', 'The ceiling, memoryBytes.', one(store.memoryBytes)),
    metric('memory_bytes', 'gauge', 'Memory in use, by purpose.', memory),
    metric(
      'operation_seconds',
      'summary',
      'Time of operations in the store, without the wire.',
      operations.flatMap(([operation, its]) => summary({ operation }, its)),
    ),
    metric(
      'request_seconds',
      'summary',
      'Time of requests in the server, by verb and stage.',
      Object.entries(server.latency).flatMap(([verb, its]) => stages({ verb }, its)),
    ),
    metric(
      'table_request_seconds',
      'summary',
      'Time of requests that name one table alone, by table, verb and stage.',
      server.tableLatency.flatMap(({ table, verb, ...its }) => stages({ table, verb }, its)),
    ),
    metric('connections', 'gauge', 'Connections open.', one(server.connections)),
    metric('sessions', 'gauge', 'Sessions known.', one(server.sessions)),
    metric('requests_total', 'counter', 'Requests answered.', one(server.requests)),
    metric('failures_total', 'counter', 'Requests answered by an error.', one(server.failures)),
    metric(
      'repeated_total',
      'counter',
      'Changes that came a second time and were not applied again.',
      one(server.repeated),
    ),
    metric(
      'refused_total',
      'counter',
      'Connections ended because what they sent was no frame, or late.',
      one(server.refused),
    ),
    ...workers(server.groups),
  ].join('\n')}\n`
}

/** Serves `GET /metrics` on HOST:PORT, of this machine only. */
export async function serveMetrics(
  address: string,
  store: Store,
  server: Server,
): Promise<HttpServer> {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(address) ?? []
  if (!hosts.test(host) || Number(port) > 65_535) {
    throw new UsageError(`--metrics: expected HOST:PORT of this machine, received '${address}'`)
  }
  const http = createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end('GET /metrics\n')
      return
    }
    try {
      const text = metricsText(await store.stats(), server.stats())
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(text)
    } catch (error) {
      response.writeHead(503).end(`${(error as Error).message}\n`)
    }
  })
  await new Promise<void>((done, fail) => {
    http.once('error', fail)
    http.listen(Number(port), host.replace(/^\[|\]$/g, ''), done)
  })
  return http
}
