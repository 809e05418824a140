// Machines of a network, as far as etcd can tell: namespaces that are joined by a switch and can be
// cut off from it. Each has a second link, to this process's own namespace, by which its clients
// reach it: a relay on loopback, so that they need no TLS.
//
// To be used in a namespace that is this process's own (unshare -n): links are made there.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect as dial, type Server } from 'node:net'
import type { EtcdPlace } from '../lib/support/etcd-server.ts'

const kClientPort = 2379
const kPeerPort = 2380

/** Why there can be no namespaces here; undefined where there can. */
export function noNamespaces(): string | undefined {
  const script =
    'ip link set lo up && ip link add switch0 type bridge && ip link add try0 type veth'
  const { status } = spawnSync('unshare', ['-n', 'sh', '-c', `${script} peer name try1`], {
    stdio: 'ignore',
  })
  return status === 0 ? undefined : 'network namespaces are not allowed here'
}

function run(...command: string[]): void {
  const [program, ...args] = command as [string, ...string[]]
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
}

/** Passes connections of a port of loopback on. */
async function relay(host: string): Promise<Server> {
  const server = createServer((near) => {
    const far = dial(kClientPort, host)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

export class Namespaces implements AsyncDisposable {
  readonly places: EtcdPlace[] = []
  readonly #holders: ChildProcess[] = []
  readonly #relays: Server[] = []

  /** `count` of them. */
  static async make(count: number): Promise<Namespaces> {
    run('ip', 'link', 'set', 'lo', 'up')
    run('ip', 'link', 'add', 'switch0', 'type', 'bridge')
    run('ip', 'link', 'set', 'switch0', 'up')
    const made = new Namespaces()
    for (let i = 0; i < count; i++) await made.#add(i)
    return made
  }

  async #add(i: number): Promise<void> {
    // Holds the namespace, until it is told to end or this process does.
    const holder = spawn('unshare', ['-n', 'sh', '-c', 'echo; cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#holders.push(holder)
    await once(holder.stdout, 'data')
    const pid = String(holder.pid)
    const inside = ['nsenter', '-t', pid, '-n']
    for (const link of [`peer${i}`, `client${i}`]) {
      run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}in`, 'netns', pid)
      run('ip', 'link', 'set', link, 'up')
      run(...inside, 'ip', 'link', 'set', `${link}in`, 'up')
    }
    run('ip', 'link', 'set', `peer${i}`, 'master', 'switch0')
    run('ip', 'addr', 'add', `10.78.${i}.1/24`, 'dev', `client${i}`)
    const [peer, client] = [`10.77.0.${i + 1}`, `10.78.${i}.2`]
    run(...inside, 'ip', 'link', 'set', 'lo', 'up')
    run(...inside, 'ip', 'addr', 'add', `${peer}/24`, 'dev', `peer${i}in`)
    run(...inside, 'ip', 'addr', 'add', `${client}/24`, 'dev', `client${i}in`)
    const its = await relay(client)
    this.#relays.push(its)
    this.places.push({
      url: `http://127.0.0.1:${(its.address() as { port: number }).port}`,
      listen: `http://${client}:${kClientPort}`,
      peer: `http://${peer}:${kPeerPort}`,
      within: inside,
    })
  }

  /** None of the others reaches it any more, and it reaches none; its clients do. */
  cutOff(i: number): void {
    run('ip', 'link', 'set', `peer${i}`, 'down')
  }

  join(i: number): void {
    run('ip', 'link', 'set', `peer${i}`, 'up')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#relays) server.close()
    for (const holder of this.#holders) holder.stdin?.end()
  }
}
