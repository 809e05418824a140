/** What an operator does with slots: moves them, and adds, empties and levels servers. */
import { checkInteger, checkObject } from '../checks.ts'
import { callError, rangeError, typeError } from '../errors.ts'
import { type ClientTls, checkTls, clientTlsFields } from '../tls.ts'
import { type MoveProgress, type MoveResult, Mover, type MoverOptions } from './mover.ts'
import { type ClusterAddress, Registry } from './registry.ts'
import { movesBetween, parseSlots, type SlotMove, targetOf, type Weighted } from './slots.ts'

/** Options of whoever moves slots. */
export interface MoveOptions {
  /** As for `connect`; with it the identity needs the role admin. */
  tls?: ClientTls
  /** Of one request, as for `connect`. */
  timeoutMs?: number
  /**
   * For how long a group that is being moved stays frozen when this process dies: 2,000 to 60,000,
   * by default 5,000.
   */
  leaseMs?: number
  /** Called after each group. */
  onProgress?: (progress: MoveProgress) => void
  /** Stops after the group under way, and rejects. */
  signal?: AbortSignal
}

const fields = ['tls', 'timeoutMs', 'leaseMs', 'onProgress', 'signal']

function moverOptions(options: MoveOptions): MoverOptions {
  checkObject('options', options, fields)
  const { timeoutMs = 10_000, leaseMs = 5000, onProgress, signal } = options
  checkInteger('timeoutMs', timeoutMs, 1, 86_400_000)
  checkInteger('leaseMs', leaseMs, 2000, 60_000)
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw typeError('onProgress', 'a function', onProgress)
  }
  const tls = checkTls(options.tls, clientTlsFields)
  return {
    native: { timeoutMs, spinUs: 0, tls, transport: 0, followers: [], trace: '' },
    leaseMs,
    // For one that died a moment ago; and etcd's leases end late.
    waitMs: 3 * leaseMs,
    progress: onProgress,
    signal,
  }
}

function checkServer(argument: string, value: unknown): string {
  if (typeof value !== 'string') throw typeError(argument, 'a string', value)
  if (!/^[!-~]+:\d{1,5}$/.test(value)) throw rangeError(argument, 'HOST:PORT', value)
  return value
}

/** These servers with the weights that they have said; all must be alive. */
async function weighted(registry: Registry, servers: readonly string[]): Promise<Weighted[]> {
  const alive = new Map((await registry.members()).map((its) => [its.server, its.weight]))
  return servers.map((server) => {
    const weight = alive.get(server)
    if (weight === undefined) throw callError('ERR_UNAVAILABLE', `server '${server}' is not alive`)
    return { server, weight }
  })
}

async function addTo(mover: Mover, registry: Registry, server: string): Promise<void> {
  await weighted(registry, [server])
  if (!mover.servers.includes(server)) await mover.setServers([...mover.servers, server])
}

/**
 * Moves slots to a server of the cluster, from whoever has them, while clients go on. Slots that it
 * has already stay, so a call that was interrupted goes on where it was when it is made again. A
 * server that is not in the placement yet is added.
 *
 * Changes of a group of slots wait while it is frozen, a few milliseconds; reads a part of that.
 * When this process dies meanwhile they wait until its lease has ended. Rows and optimizer state
 * come along, and dense parameters; when a row was used last, how often, and scores for eviction do
 * not: it counts as used once. Versions are not made while a group is moved: commits wait.
 *
 * Rejects with ERR_BUSY when another process moves slots of this cluster, with ERR_UNAVAILABLE when
 * a server or etcd does not answer, with ERR_CAPACITY when the server has no room, with
 * ERR_CONFLICT when somebody else has changed the placement. What was moved by then stays moved.
 *
 * @param slots - numbers from 0 to 16383 and ranges of them, as `'0-99,200'`
 */
export async function moveSlots(
  address: ClusterAddress,
  slots: string,
  to: string,
  options: MoveOptions = {},
): Promise<MoveResult> {
  const wanted = parseSlots('slots', slots)
  return run(address, checkServer('to', to), options, ({ owners }) => {
    const target: (string | undefined)[] = []
    for (const slot of wanted) target[slot] = to
    return movesBetween(owners, target)
  })
}

/**
 * Adds a server that is alive, and gives it its share of the slots by the weights of all, from
 * each of the others. Rejects as `moveSlots`.
 */
export async function addServer(
  address: ClusterAddress,
  server: string,
  options: MoveOptions = {},
): Promise<MoveResult> {
  return run(address, checkServer('server', server), options, async (mover, registry) => {
    const target = targetOf(await weighted(registry, mover.servers))
    return movesBetween(
      mover.owners,
      target.map((owner) => (owner === server ? server : undefined)),
    )
  })
}

/**
 * Moves a server's slots to the others, by their weights, and takes it out of the placement: then
 * it may be stopped. It must be alive: what a dead one has nobody can move. Rejects as `moveSlots`;
 * with ERR_NOT_FOUND when the placement has no such server, with ERR_CONFLICT when it is the last.
 */
export async function removeServer(
  address: ClusterAddress,
  server: string,
  options: MoveOptions = {},
): Promise<MoveResult> {
  checkServer('server', server)
  const its = moverOptions(options)
  const registry = new Registry(address)
  return Mover.run(registry, its, async (mover) => {
    const { servers, owners } = mover
    if (!servers.includes(server)) {
      throw callError('ERR_NOT_FOUND', `the placement has no server '${server}'`)
    }
    const others = servers.filter((each) => each !== server)
    if (others.length === 0) {
      throw callError('ERR_CONFLICT', `'${server}' is the last server of the placement`)
    }
    if (owners.includes(server)) {
      const target = targetOf(await weighted(registry, others))
      const away = target.map((owner, slot) => (owners[slot] === server ? owner : undefined))
      await mover.move(movesBetween(owners, away))
    }
    await mover.setServers(others)
  })
}

/**
 * Moves what differs from the placement that the servers' weights make: a server of weight 0 is
 * emptied. Rejects as `moveSlots`.
 */
export async function rebalance(
  address: ClusterAddress,
  options: MoveOptions = {},
): Promise<MoveResult> {
  return run(address, undefined, options, async (mover, registry) =>
    movesBetween(mover.owners, targetOf(await weighted(registry, mover.servers))),
  )
}

/** `server` is added to the placement first. */
async function run(
  address: ClusterAddress,
  server: string | undefined,
  options: MoveOptions,
  plan: (mover: Mover, registry: Registry) => SlotMove[] | Promise<SlotMove[]>,
): Promise<MoveResult> {
  const its = moverOptions(options)
  const registry = new Registry(address)
  return Mover.run(registry, its, async (mover) => {
    if (server !== undefined) await addTo(mover, registry, server)
    await mover.move(await plan(mover, registry))
  })
}
