/** `hotrow cluster`: what etcd says of a cluster, its first placement, and slots that move. */
import type { MoveOptions } from '../cluster/move.ts'
import type { MoveResult } from '../cluster/mover.ts'
import type { ClusterAddress, ClusterPlacement, ClusterStatus } from '../cluster/registry.ts'
import type { ClientTls } from '../tls.ts'
import { type Call, type Command, type Flag, number, required, UsageError } from './command.ts'
import { columns, grouped } from './output.ts'

/** Flags of every command that asks etcd. */
export const etcdFlags: Readonly<Record<string, Flag>> = {
  etcd: {
    type: 'string',
    multiple: true,
    value: 'URL',
    help: 'a member of etcd, https:// beyond this machine; repeat it for each',
  },
  cluster: { type: 'string', value: 'NAME', help: 'name of the cluster' },
  'etcd-ca': { type: 'string', value: 'FILE', help: "authorities of etcd's certificates, PEM" },
  'etcd-cert': { type: 'string', value: 'FILE', help: 'certificate to show etcd, PEM' },
  'etcd-key': { type: 'string', value: 'FILE', help: 'its private key, PEM' },
}

/** The cluster that is meant; undefined: none. */
export function clusterOf(call: Call): ClusterAddress | undefined {
  const etcd = call.texts('etcd')
  const cluster = call.text('cluster')
  const files = { caFile: 'etcd-ca', certFile: 'etcd-cert', keyFile: 'etcd-key' }
  const given = Object.entries(files).flatMap(([name, flag]) => {
    const file = call.text(flag)
    return file === undefined ? [] : [[name, file]]
  })
  if (etcd.length === 0 && cluster === undefined && given.length === 0) return undefined
  if (etcd.length === 0) throw new UsageError('--etcd is missing')
  const its = { etcd, cluster: required(call, 'cluster') }
  return given.length === 0 ? its : { ...its, etcdTls: Object.fromEntries(given) }
}

/** A line a server: its slots, and whether it is alive. */
function table({ placement, members }: ClusterStatus): string {
  const slots = new Map(placement?.servers.map(({ server, slots }) => [server, slots]))
  const alive = new Map(members.map((member) => [member.server, member]))
  const names = [...new Set([...slots.keys(), ...alive.keys()])].sort()
  const rows = names.map((server) => {
    const member = alive.get(server)
    const state = member === undefined ? 'gone' : 'alive'
    return [server, state, slots.get(server) ?? 0, member?.weight ?? '-', member?.host ?? '-']
  })
  const head =
    placement === undefined ? 'no placement yet: hotrow cluster init' : `epoch ${placement.epoch}`
  return `${head}\n${columns(['server', 'state', 'slots', 'weight', 'host'], rows)}`
}

async function status(call: Call, address: ClusterAddress): Promise<void> {
  const { clusterStatus } = await import('../cluster/cluster.ts')
  const its = await clusterStatus(address)
  call.output.result({ placement: its.placement ?? null, members: its.members }, () => table(its))
}

async function init(call: Call, address: ClusterAddress): Promise<void> {
  const { createPlacement } = await import('../cluster/cluster.ts')
  const made: ClusterPlacement = await createPlacement(address)
  call.output.result(made, () => {
    const lines = made.servers.map(({ server, slots }) => [server, slots])
    return `epoch ${made.epoch}\n${columns(['server', 'slots'], lines)}`
  })
}

/** The flags about TLS and the options that they are. */
const tlsFlags: Readonly<Record<string, keyof ClientTls>> = {
  'tls-ca': 'caFile',
  'tls-cert': 'certFile',
  'tls-key': 'keyFile',
  'psk-file': 'pskFile',
  'token-file': 'tokenFile',
}

function moveOptions(call: Call): MoveOptions {
  const tls = Object.entries(tlsFlags).flatMap(([flag, name]) => {
    const file = call.text(flag)
    return file === undefined ? [] : [[name, file]]
  })
  const leaseMs = number(call, 'lease-ms')
  return {
    ...(tls.length === 0 ? {} : { tls: Object.fromEntries(tls) as ClientTls }),
    ...(leaseMs === undefined ? {} : { leaseMs }),
    signal: call.signal,
    onProgress: ({ from, to, rows, slots, ofSlots }) =>
      call.output.progress({
        name: `${from} -> ${to}, ${grouped(slots)} of ${grouped(ofSlots)} slots,`,
        rows,
        totalRows: undefined,
      }),
  }
}

function showMoved(call: Call, its: MoveResult): void {
  call.output.result(its, () => {
    const { placement, freezeMs } = its
    const lines = placement.servers.map(({ server, slots }) => [server, slots])
    const [median, longest] = [freezeMs.median.toFixed(1), freezeMs.longest.toFixed(1)]
    const freeze = `frozen ${median} ms each, ${longest} at most`
    const moved =
      its.slots === 0
        ? 'nothing to move'
        : `moved ${grouped(its.slots)} slots in ${grouped(its.groups)} groups, ` +
          `${grouped(its.rows)} rows; ${freeze}`
    return `${moved}\nepoch ${placement.epoch}\n${columns(['server', 'slots'], lines)}`
  })
}

async function move(call: Call, address: ClusterAddress): Promise<void> {
  const { moveSlots } = await import('../cluster/move.ts')
  const [slots, to] = [required(call, 'slots'), required(call, 'to')]
  showMoved(call, await moveSlots(address, slots, to, moveOptions(call)))
}

async function rebalance(call: Call, address: ClusterAddress): Promise<void> {
  const its = await import('../cluster/move.ts')
  showMoved(call, await its.rebalance(address, moveOptions(call)))
}

async function add(call: Call, address: ClusterAddress): Promise<void> {
  const { addServer } = await import('../cluster/move.ts')
  showMoved(call, await addServer(address, required(call, 'server'), moveOptions(call)))
}

async function remove(call: Call, address: ClusterAddress): Promise<void> {
  const { removeServer } = await import('../cluster/move.ts')
  showMoved(call, await removeServer(address, required(call, 'server'), moveOptions(call)))
}

const actions: Readonly<Record<string, (call: Call, address: ClusterAddress) => Promise<void>>> = {
  status,
  init,
  move,
  add,
  remove,
  rebalance,
}

export const clusterCommand: Command = {
  name: 'cluster',
  summary: 'servers that share a model: status, init, move, add, remove, rebalance',
  positionals: ['ACTION'],
  flags: {
    ...etcdFlags,
    slots: { type: 'string', value: 'A-B,C', help: 'move: slots, 0 to 16383' },
    to: { type: 'string', value: 'HOST:PORT', help: 'move: who gets them' },
    server: { type: 'string', value: 'HOST:PORT', help: 'add, remove: which one' },
    'lease-ms': {
      type: 'string',
      value: 'N',
      help: 'slots stay frozen so long when a mover dies; default 5000',
    },
    'tls-ca': { type: 'string', value: 'FILE', help: "authorities of the servers' certificates" },
    'tls-cert': { type: 'string', value: 'FILE', help: 'certificate to show the servers, PEM' },
    'tls-key': { type: 'string', value: 'FILE', help: 'its private key, PEM' },
    'psk-file': { type: 'string', value: 'FILE', help: 'pre-shared key of the servers' },
    'token-file': { type: 'string', value: 'FILE', help: 'token for the servers' },
  },
  details: [
    'status     which servers are alive, and how many of the 16,384 slots each has',
    'init       gives the slots to the servers that are alive, by their weights; once a',
    '           cluster. Until then its servers answer for no key.',
    'move       moves --slots to the server --to',
    'add        adds the server --server, and moves its share of the slots to it',
    'remove     moves all slots of --server to the others; then it may be stopped',
    "rebalance  moves what differs from the placement that the servers' weights make",
    '',
    'Slots move while clients go on: changes of a group of slots wait for the few',
    'milliseconds in which it is frozen. Ctrl-C stops after the group under way; the',
    'same command goes on from there. Where servers have TLS the role admin is needed.',
  ].join('\n'),
  async run(call) {
    const [action] = call.positionals as [string]
    const run = Object.hasOwn(actions, action) ? actions[action] : undefined
    if (run === undefined) {
      throw new UsageError(`expected ${Object.keys(actions).join(' or ')}, received '${action}'`)
    }
    const address = clusterOf(call)
    if (address === undefined) throw new UsageError('--etcd is missing')
    await run(call, address)
  },
}
