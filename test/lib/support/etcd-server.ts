// A real etcd on loopback, of one member or of several, that keeps nothing and leaves nothing: it
// ends when this process does, however it ends.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const kReadyMs = 60_000

/** Why there can be no etcd here; undefined where there can. */
export function noEtcd(): string | undefined {
  const { status } = spawnSync('etcd', ['--version'], { stdio: 'ignore' })
  return status === 0 ? undefined : 'etcd is not installed'
}

// The pipe closes with this process, even when it is killed.
const kShell = `
  dir=$1; shift
  "$@" >"$dir/log" 2>&1 &
  server=$!
  echo "$server"
  cat >"$dir/input"
  kill -9 "$server"
`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Where a member listens, and how it is reached. */
export interface EtcdPlace {
  /** Where clients reach it. */
  url: string
  /** Where it listens for them, when that is elsewhere. */
  listen?: string
  /** Where the other members reach it. */
  peer: string
  /** What runs it: a command and its arguments, to which its own are added. */
  within?: readonly string[]
}

async function placeOnLoopback(): Promise<EtcdPlace> {
  const [client, peer] = [await freePort(), await freePort()]
  return { url: `http://127.0.0.1:${client}`, peer: `http://127.0.0.1:${peer}` }
}

/** Of a request: one that is lost is no reason to wait for minutes. */
const answerSoon = (): AbortSignal => AbortSignal.timeout(5000)

export class EtcdServer {
  readonly url: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'hotrow-etcd-'))
  readonly #command: string[]
  #shell: ChildProcess | undefined
  #pid = 0

  /** Member `index` of those at `places`. */
  private constructor(places: readonly EtcdPlace[], index: number) {
    const its = places[index] as EtcdPlace
    this.url = its.url
    const client = its.listen ?? its.url
    const settings = {
      name: `member${index}`,
      'data-dir': join(this.#folder, 'data'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': its.peer,
      'initial-advertise-peer-urls': its.peer,
      'initial-cluster': places.map(({ peer }, i) => `member${i}=${peer}`).join(),
      // A loaded machine is late with everything; of several, others wait for an election.
      'heartbeat-interval': '100',
      'election-timeout': places.length > 1 ? '1000' : '2000',
    }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    this.#command = [...(its.within ?? []), 'etcd', ...args]
  }

  static async start(): Promise<EtcdServer> {
    const [only] = await EtcdServer.startAll([await placeOnLoopback()])
    return only as EtcdServer
  }

  /** Members of one etcd; by default three on loopback. */
  static async startAll(places?: readonly EtcdPlace[]): Promise<EtcdServer[]> {
    const three = (): Promise<EtcdPlace[]> => Promise.all([0, 1, 2].map(placeOnLoopback))
    const all = places ?? (await three())
    const members = all.map((_, i) => new EtcdServer(all, i))
    await Promise.all(members.map((member) => member.restart()))
    return members
  }

  /** After kill(): the same data at the same address. */
  async restart(): Promise<void> {
    const args = ['-c', kShell, 'etcd', this.#folder, ...this.#command]
    this.#shell = spawn('sh', args, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#shell.stdin?.on('error', () => {})
    const [line] = (await once(this.#shell.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    this.#pid = Number(line.toString())
    for (const end = Date.now() + kReadyMs; ; await sleep(50)) {
      const health = await fetch(`${this.url}/health`, { signal: answerSoon() }).then(
        (answer) => answer.text(),
        () => '',
      )
      if (health.includes('true')) return
      if (Date.now() > end) throw new Error('etcd is not ready')
    }
  }

  async kill(): Promise<void> {
    const shell = this.#shell
    if (shell === undefined) return
    this.#shell = undefined
    const exit = shell.exitCode === null ? once(shell, 'exit') : Promise.resolve([])
    shell.stdin?.end()
    await exit
  }

  /** Makes it hang, or go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#shell !== undefined) process.kill(this.#pid, signal)
  }

  /** Is it the one that the others follow? */
  async leads(): Promise<boolean> {
    const status = await this.ask('/v3/maintenance/status', {})
    const { member_id: id } = status['header'] as { member_id: string }
    return status['leader'] === id
  }

  /** A request of the gateway, as a person would make it. */
  async ask(path: string, body: unknown): Promise<Record<string, unknown>> {
    const request = { method: 'POST', body: JSON.stringify(body), signal: answerSoon() }
    const answer = await fetch(`${this.url}${path}`, request)
    return (await answer.json()) as Record<string, unknown>
  }

  async put(key: string, value: string): Promise<void> {
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    await this.ask('/v3/kv/put', { key: base64(key), value: base64(value) })
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
