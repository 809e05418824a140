// What a run starts outside its own process - a scratch folder, a Redis server, the contenders -
// and its end: however this process ends, nothing of it stays.

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ContenderName } from './jobs.ts'
import type { Reply, Request } from './serve.ts'

const START_MS = 10_000
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

export class Surroundings {
  readonly folder = mkdtempSync(join(tmpdir(), 'hotrow-bench-'))
  readonly #children: ChildProcess[] = []

  constructor() {
    process.on('exit', () => this.#clear())
    for (const [signal, code] of Object.entries(SIGNALS))
      process.on(signal, () => process.exit(code))
  }

  /** A contender in a process of its own, ready. */
  async contender(name: ContenderName, port = 0): Promise<Opponent> {
    const module = fileURLToPath(new URL('./serve.ts', import.meta.url))
    const child = fork(module, [name, this.folder, `${port}`], {
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#children.push(child)
    const opponent = new Opponent(name, child)
    await opponent.ready
    return opponent
  }

  /** Starts a Redis server on loopback that keeps nothing; gives its port. */
  async redisServer(): Promise<number> {
    const port = await freePort()
    const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir: this.folder }
    const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`])
    const server = spawn('redis-server', words, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#children.push(server)
    await serverReady(server)
    return port
  }

  #clear(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The harness's side of a contender's process. */
export class Opponent {
  readonly name: ContenderName
  readonly ready: Promise<unknown>
  readonly #child: ChildProcess
  #ended: Error | undefined
  #settle: { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined

  constructor(name: ContenderName, child: ChildProcess) {
    this.name = name
    this.#child = child
    child.on('message', (reply: Reply) => {
      if ('error' in reply) this.#settle?.reject(new Error(reply.error))
      else this.#settle?.resolve(reply.value)
    })
    child.on('exit', (code, signal) => {
      this.#ended = new Error(`its process ended (${signal ?? `code ${code}`})`)
      this.#settle?.reject(this.#ended)
    })
    child.on('error', (error) => this.#settle?.reject(error))
    this.ready = this.#reply()
  }

  /** Sends a request and waits for its answer; one at a time. */
  ask(request: Request): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const reply = this.#reply()
    this.#child.send(request, (error) => {
      if (error !== null) this.#settle?.reject(error)
    })
    return reply
  }

  async end(): Promise<void> {
    await this.ask({ type: 'close' })
    this.#child.kill('SIGKILL')
  }

  #reply(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function serverReady(server: ChildProcess): Promise<void> {
  const limit = AbortSignal.timeout(START_MS)
  await new Promise<void>((resolve, reject) => {
    let said = ''
    server.stdout?.on('data', (text: Buffer) => {
      said += text.toString()
      if (said.includes('Ready to accept connections')) resolve()
    })
    server.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT'
      reject(new Error(missing ? 'redis-server is not installed' : error.message))
    })
    server.on('exit', (code) => reject(new Error(`redis-server ended with code ${code}`)))
    limit.addEventListener('abort', () => reject(new Error('redis-server did not start')))
  })
}
