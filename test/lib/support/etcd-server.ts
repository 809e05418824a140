// A real etcd of one member on loopback that keeps nothing and leaves nothing: it ends when this
// process does, however it ends.

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
  etcd "$@" >"$dir/log" 2>&1 &
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

export class EtcdServer {
  readonly url: string
  readonly #folder: string
  readonly #args: string[]
  #shell: ChildProcess | undefined
  #pid = 0

  private constructor(folder: string, client: string, peer: string) {
    this.url = client
    this.#folder = folder
    const settings = {
      name: 'only',
      'data-dir': join(folder, 'data'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `only=${peer}`,
      // A loaded machine is late with everything.
      'heartbeat-interval': '200',
      'election-timeout': '2000',
    }
    this.#args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  }

  static async start(): Promise<EtcdServer> {
    const folder = mkdtempSync(join(tmpdir(), 'hotrow-etcd-'))
    const [client, peer] = [await freePort(), await freePort()]
    const etcd = new EtcdServer(folder, `http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`)
    await etcd.restart()
    return etcd
  }

  /** After kill(): the same data at the same address. */
  async restart(): Promise<void> {
    const args = ['-c', kShell, 'etcd', this.#folder, ...this.#args]
    this.#shell = spawn('sh', args, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#shell.stdin?.on('error', () => {})
    const [line] = (await once(this.#shell.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    this.#pid = Number(line.toString())
    for (const end = Date.now() + kReadyMs; ; await sleep(50)) {
      const health = await fetch(`${this.url}/health`).then(
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
    process.kill(this.#pid, signal)
  }

  /** A request of the gateway, as a person would make it. */
  async ask(path: string, body: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.url}${path}`, { method: 'POST', body: JSON.stringify(body) })
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
