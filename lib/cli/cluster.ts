/** `hotrow cluster`: what etcd says of a cluster, and its first placement. */
import type { ClusterAddress, ClusterPlacement, ClusterStatus } from '../cluster/registry.ts'
import { type Call, type Command, type Flag, required, UsageError } from './command.ts'
import { columns } from './output.ts'

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

const actions: Readonly<Record<string, (call: Call, address: ClusterAddress) => Promise<void>>> = {
  status,
  init,
}

export const clusterCommand: Command = {
  name: 'cluster',
  summary: 'servers that share a model: status, or init, the first placement',
  positionals: ['ACTION'],
  flags: etcdFlags,
  details: [
    'status  which servers are alive, and how many of the 16,384 slots each has',
    'init    gives the slots to the servers that are alive, by their weights; once a',
    '        cluster. Until then its servers answer for no key.',
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
