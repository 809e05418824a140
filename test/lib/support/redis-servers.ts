// A Redis Cluster of six processes on loopback, three masters and a replica of each, that keeps
// nothing and leaves nothing: every server ends when this process does, however it ends.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'

const kNodes = 6
const kNodeTimeoutMs = 1000
const kReadyMs = 30_000

/** Why there can be no cluster here; undefined where there can. */
export function noRedis(): string | undefined {
  const missing = ['redis-server', 'redis-cli'].filter((program) => {
    return spawnSync(program, ['--version'], { stdio: 'ignore' }).status !== 0
  })
  return missing.length > 0 ? `${missing.join(' and ')} not installed` : undefined
}

interface Server {
  readonly port: number
  /** A shell that lives as long as its input is open, and takes the server with it. */
  readonly shell: ChildProcess
  readonly pid: number
}

// The pipe closes with this process, even when it is killed.
const kShell = `
  dir=$1; shift
  redis-server "$@" >"$dir/log" 2>&1 &
  server=$!
  echo "$server"
  cat >"$dir/input"
  kill -9 "$server"
  rm -rf "$dir"
  rmdir "\${dir%/*}" 2>/dev/null
`

export class RedisServers {
  readonly #folder: string
  readonly #servers: Server[] = []
  readonly #lost: Server[] = []

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'hotrow-redis-'))
  }

  /** A cluster that is ready, all slots covered and every master with its replica. */
  static async start(): Promise<RedisServers> {
    const servers = new RedisServers()
    try {
      for (const port of await freePorts(kNodes)) await servers.#startOne(port)
      await Promise.all(servers.ports.map(answers))
      await servers.#join()
      return servers
    } catch (error) {
      await servers.stop()
      throw error
    }
  }

  get ports(): number[] {
    return this.#servers.map(({ port }) => port)
  }

  get nodes(): { host: string; port: number }[] {
    return this.ports.map((port) => ({ host: '127.0.0.1', port }))
  }

  /** A client of its own, for looking at what is there. */
  client(): Cluster {
    return new Cluster(this.nodes)
  }

  /** Kills the master of a slot at once, or makes it hang; it counts no more. Gives its port. */
  async loseMasterOf(slot: number, how: 'SIGKILL' | 'SIGSTOP'): Promise<number> {
    const [lines] = await this.#ask<string>((redis) => redis.cluster('NODES') as Promise<string>)
    for (const line of lines?.split('\n') ?? []) {
      const [, address, flags, , , , , , ...ranges] = line.split(' ')
      const port = Number(/:(\d+)@/.exec(address ?? '')?.[1])
      const holds = ranges.some((range) => {
        const [first, last = first] = range.split('-').map(Number)
        return slot >= Number(first) && slot <= Number(last)
      })
      if (!holds || !flags?.includes('master')) continue
      const server = this.#servers.find((each) => each.port === port) as Server
      process.kill(server.pid, how)
      this.#servers.splice(this.#servers.indexOf(server), 1)
      this.#lost.push(server)
      return port
    }
    throw new Error(`no master of slot ${slot}`)
  }

  /** All slots are served, as every live node sees it. */
  async ready(): Promise<void> {
    const end = Date.now() + kReadyMs
    for (;;) {
      const infos = await this.#ask((redis) => redis.cluster('INFO') as Promise<string>).catch(
        () => [''],
      )
      if (infos.every((info) => /cluster_state:ok/.test(info))) return
      if (Date.now() > end) throw new Error(`the cluster is not ready:\n${infos.join('\n')}`)
      await sleep(50)
    }
  }

  async stop(): Promise<void> {
    const ended = [...this.#servers, ...this.#lost].map(({ shell }) => {
      const exit = shell.exitCode === null ? once(shell, 'exit') : Promise.resolve([])
      shell.stdin?.end()
      return exit
    })
    await Promise.all(ended)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #startOne(port: number): Promise<void> {
    const dir = mkdtempSync(join(this.#folder, `${port}-`))
    const settings = {
      port,
      bind: '127.0.0.1',
      dir,
      save: '',
      appendonly: 'no',
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-node-timeout': kNodeTimeoutMs,
      'repl-diskless-sync-delay': 0,
    }
    const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`])
    const args = ['-c', kShell, 'redis', dir, ...words]
    const shell = spawn('sh', args, { stdio: ['pipe', 'pipe', 'ignore'] })
    shell.stdin?.on('error', () => {})
    const [line] = (await once(shell.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    this.#servers.push({ port, shell, pid: Number(line.toString()) })
  }

  async #join(): Promise<void> {
    const addresses = this.nodes.map(({ host, port }) => `${host}:${port}`)
    const args = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']
    const cli = spawn('redis-cli', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [cli.stdout, cli.stderr]) stream.on('data', (text) => (said += text))
    const [code] = (await once(cli, 'close')) as [number]
    if (code !== 0) throw new Error(`redis-cli ended with ${code}:\n${said}`)
    await this.ready()
    const end = Date.now() + kReadyMs
    // A replica that has not its master's rows yet could not take its place.
    const upToDate = (info: string): boolean =>
      /master_link_status:up/.test(info) || /connected_slaves:1/.test(info)
    while (!(await this.#ask((redis) => redis.info('replication'))).every(upToDate)) {
      if (Date.now() > end) throw new Error('the replicas do not follow')
      await sleep(50)
    }
  }

  async #ask<T>(question: (redis: Redis) => Promise<T>): Promise<T[]> {
    return Promise.all(this.ports.map((port) => asking(port, question)))
  }
}

async function asking<T>(port: number, question: (redis: Redis) => Promise<T>): Promise<T> {
  const options = { host: '127.0.0.1', port, retryStrategy: () => null, maxRetriesPerRequest: 0 }
  const redis = new Redis(options)
  redis.on('error', () => {})
  try {
    return await question(redis)
  } finally {
    redis.disconnect()
  }
}

async function answers(port: number): Promise<void> {
  for (let left = 200; ; left--) {
    try {
      await asking(port, (redis) => redis.ping())
      return
    } catch (error) {
      if (left === 0) throw error
      await sleep(25)
    }
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Ports that are free, and so are those of the cluster's bus, 10,000 above. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = 12_000 + Math.floor(Math.random() * 20_000)
    if (ports.includes(port)) continue
    if ((await listens(port)) && (await listens(port + 10_000))) ports.push(port)
  }
  return ports
}
