/** What a cluster keeps in etcd: its placement, and its servers as long as their leases hold. */
import { hostname } from 'node:os'
import { callError, rangeError, typeError } from '../errors.ts'
import { addon } from '../native.ts'
import { checkEtcdUrls, Etcd, type EtcdTls, type EtcdValue } from './etcd.ts'

/** Where the placement of a cluster is kept. */
export interface ClusterAddress {
  /** URLs of etcd's members: `http://` on this machine, `https://` anywhere. */
  etcd: string | readonly string[]
  /** Name of the cluster: 1 to 63 letters, digits, `.`, `_` and `-`. */
  cluster: string
  /** Files for `https://`. */
  etcdTls?: EtcdTls
}

/** A server whose lease holds. */
export interface ClusterMember {
  /** `'HOST:PORT'`, its name in the placement. */
  server: string
  /** Its share of slots relative to others, when slots are placed anew. */
  weight: number
  /** Differs from start to start. */
  run: string
  /** The machine. */
  host: string
}

/** Which server has how many of the 16,384 slots. */
export interface ClusterPlacement {
  /** Of two placements the one with the higher epoch holds. */
  epoch: number
  servers: { server: string; slots: number }[]
}

/** What etcd says of a cluster. */
export interface ClusterStatus {
  /** Undefined: it has none yet. */
  placement: ClusterPlacement | undefined
  /** Whose leases hold. */
  members: ClusterMember[]
}

/** A placement as it is in etcd. */
export interface StoredPlacement {
  text: string
  /** What a change compares. */
  revision: string
}

const timeoutMs = 5000

export function checkCluster(value: unknown): string {
  if (typeof value !== 'string') throw typeError('cluster', 'a string', value)
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value)) return value
  throw rangeError('cluster', '1 to 63 letters, digits, ., _ and -', value)
}

export function checkEtcdTls(value: unknown): EtcdTls | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null) throw typeError('etcdTls', 'an object', value)
  for (const [name, file] of Object.entries(value)) {
    if (!['caFile', 'certFile', 'keyFile'].includes(name)) {
      throw rangeError('etcdTls', 'caFile, certFile and keyFile', name)
    }
    if (typeof file !== 'string') throw typeError(`etcdTls.${name}`, 'a string', file)
  }
  return value
}

/** A member as etcd has it; undefined for what no server has written. */
function memberOf(prefix: string, { key, value }: EtcdValue): ClusterMember | undefined {
  try {
    const { weight, run, host } = JSON.parse(value) as Partial<ClusterMember>
    if (typeof weight !== 'number' || typeof run !== 'string') return undefined
    return { server: key.slice(prefix.length), weight, run, host: String(host ?? '') }
  } catch {
    return undefined
  }
}

/** The placement of a text that only the core can read. Throws ERR_INVALID_ARGUMENT. */
export function placementOf(text: string): ClusterPlacement {
  const { epoch, servers, slotCounts } = addon.readPlacement(text)
  return {
    epoch,
    servers: servers.map((server, i) => ({ server, slots: slotCounts[i] as number })),
  }
}

export class Registry {
  readonly cluster: string
  readonly etcd: Etcd
  readonly placementKey: string
  /** Who moves slots, as long as its lease holds. */
  readonly moverKey: string
  readonly #membersPrefix: string

  constructor({ etcd, cluster, etcdTls }: ClusterAddress) {
    this.cluster = checkCluster(cluster)
    this.etcd = new Etcd(checkEtcdUrls(etcd), checkEtcdTls(etcdTls))
    this.placementKey = `/hotrow/${cluster}/placement`
    this.moverKey = `/hotrow/${cluster}/mover`
    this.#membersPrefix = `/hotrow/${cluster}/servers/`
  }

  memberKey(server: string): string {
    return this.#membersPrefix + server
  }

  /** What a server puts under its key. */
  static memberValue(weight: number, run: string): string {
    return JSON.stringify({ weight, run, host: hostname() })
  }

  async placement(waitMs: number = timeoutMs): Promise<StoredPlacement | undefined> {
    const [stored] = await this.etcd.get([this.placementKey], waitMs)
    return stored === undefined ? undefined : { text: stored.value, revision: stored.revision }
  }

  /** The placement and a server's member key, at one moment. */
  async lookAt(
    server: string,
    waitMs: number,
  ): Promise<[StoredPlacement | undefined, EtcdValue | undefined]> {
    const [placement, member] = await this.etcd.get(
      [this.placementKey, this.memberKey(server)],
      waitMs,
    )
    const stored = placement && { text: placement.value, revision: placement.revision }
    return [stored, member]
  }

  /** The placement, and the creation of the mover's lock, at one moment; `'0'`: nobody has it. */
  async lookAtMover(waitMs: number): Promise<[StoredPlacement | undefined, string]> {
    const [placement, mover] = await this.etcd.get([this.placementKey, this.moverKey], waitMs)
    const stored = placement && { text: placement.value, revision: placement.revision }
    return [stored, mover?.created ?? '0']
  }

  async members(): Promise<ClusterMember[]> {
    const values = await this.etcd.list(this.#membersPrefix, timeoutMs)
    return values.flatMap((each) => memberOf(this.#membersPrefix, each) ?? [])
  }

  async status(): Promise<ClusterStatus> {
    const stored = await this.placement()
    return {
      placement: stored && placementOf(stored.text),
      members: await this.members(),
    }
  }

  /**
   * The first placement: slots by the members' weights. Rejects with ERR_CONFLICT when the cluster
   * has one, ERR_NOT_FOUND when it has no members.
   */
  async create(): Promise<ClusterPlacement> {
    const members = await this.members()
    if (members.length === 0) {
      throw callError('ERR_NOT_FOUND', `cluster '${this.cluster}' has no servers yet`)
    }
    const servers = members.map(({ server }) => server)
    const weights = members.map(({ weight }) => weight)
    const text = addon.makePlacement(1, servers, weights)
    if (await this.etcd.swap(this.placementKey, '0', text, timeoutMs)) return placementOf(text)
    throw callError('ERR_CONFLICT', `cluster '${this.cluster}' has a placement already`)
  }
}
