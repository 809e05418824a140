/**
 * A server's place in a cluster: its lease in etcd, and the placement that it goes by. As long as
 * the lease may hold, nobody gives its slots to others without its word; when it may not hold any
 * more, the server refuses all keys by itself, whether it can reach etcd or not.
 */
import { randomUUID } from 'node:crypto'
import type { NativeServer } from '../addon-server.ts'
import { callError } from '../errors.ts'
import { type ClusterPlacement, placementOf, Registry, type StoredPlacement } from './registry.ts'
import { Watcher } from './watcher.ts'

/** How a server is a member of its cluster. */
export interface MemberOptions {
  /** Its name in the placement, HOST:PORT as clients reach it. */
  server: string
  weight: number
  leaseMs: number
}

/** Clocks of two machines may run apart by a tenth. */
const trusted = 0.9
const looksALease = 3
/** Of one request: with this one that is lost leaves time for others while the lease holds. */
const timeoutsALease = 6
/** Before a renewal that failed is tried again. */
const retriesALease = 40
/** Between looks at whether the mover of frozen slots is still there. */
const frozenLookMs = 100

export class Membership {
  readonly #registry: Registry
  readonly #native: NativeServer
  readonly #options: MemberOptions
  readonly #run = randomUUID()
  #lease: string | undefined
  #timer: NodeJS.Timeout | undefined
  #watcher: Watcher | undefined
  #freezes: NodeJS.Timeout | undefined
  #looksAtMover = false
  #stopped = false
  #renewing: Promise<void> = Promise.resolve()
  #problem: string | undefined
  /** Another server was started under this one's name. */
  #replaced = false

  private constructor(registry: Registry, native: NativeServer, options: MemberOptions) {
    this.#registry = registry
    this.#native = native
    this.#options = options
  }

  /** Rejects with ERR_UNAVAILABLE where etcd does not answer. */
  static async join(
    registry: Registry,
    native: NativeServer,
    options: MemberOptions,
  ): Promise<Membership> {
    const membership = new Membership(registry, native, options)
    try {
      await membership.#renew()
    } catch (error) {
      await membership.stop()
      throw error
    }
    membership.#schedule()
    membership.#watcher = new Watcher(registry.etcd, registry.placementKey, options.leaseMs, () =>
      membership.#look(),
    )
    membership.#freezes = setInterval(() => void membership.#lookAtMover(), frozenLookMs)
    membership.#freezes.unref()
    return membership
  }

  /** Why the lease or the placement could not be looked at; undefined: they could. */
  get problem(): string | undefined {
    return this.#problem
  }

  get placement(): ClusterPlacement | undefined {
    const text = this.#native.placement()
    return text === '' ? undefined : placementOf(text)
  }

  /** Looks at nothing any more. */
  leave(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#freezes)
    this.#watcher?.stop()
  }

  /** Ends the lease. The server must have stopped: its slots may be others' at once. */
  async stop(): Promise<void> {
    this.leave()
    await this.#renewing
    if (this.#lease === undefined) return
    // A lease that cannot be ended ends by itself.
    await this.#registry.etcd.revoke(this.#lease, this.#waitMs).catch(() => {})
  }

  get #waitMs(): number {
    return this.#options.leaseMs / timeoutsALease
  }

  #schedule(partsOfALease = looksALease): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#renewing = this.#renew().then(
        () => this.#schedule(),
        (error: unknown) => {
          this.#note(error)
          this.#schedule(retriesALease)
        },
      )
    }, this.#options.leaseMs / partsOfALease)
    this.#timer.unref()
  }

  #conflict(): Error {
    const { server } = this.#options
    const { cluster } = this.#registry
    return callError('ERR_CONFLICT', `another server is '${server}' in cluster '${cluster}'`)
  }

  #note(error: unknown): void {
    this.#problem = (error as Error).message
  }

  async #renew(): Promise<void> {
    // Before etcd is asked: a lease holds at least from then on.
    const asked = performance.now()
    const ttlMs = (await this.#extended()) ?? (await this.#registered())
    const [stored, member] = await this.#registry.lookAt(this.#options.server, this.#waitMs)
    if (!member?.value.includes(this.#run)) {
      this.#lease = undefined
      this.#replaced = member !== undefined
      // At once: the other one has the same slots.
      this.#native.believePlacementFor(0)
      throw this.#conflict()
    }
    const unusable = await this.#takenOrWhyNot(stored)
    const leftMs = ttlMs * trusted - (performance.now() - asked)
    this.#native.believePlacementFor(Math.max(0, Math.floor(leftMs)))
    this.#problem = unusable?.message
  }

  /**
   * What is no placement, or an older one, is nobody's: servers go on with what they have, and a
   * slip of the hand in etcd does not stop a cluster. Another one of the same epoch may have other
   * owners: who has met it stops when its lease ends.
   */
  async #takenOrWhyNot(stored: StoredPlacement | undefined): Promise<Error | undefined> {
    try {
      await this.#take(stored)
      return undefined
    } catch (error) {
      const mine = this.placement
      if (mine === undefined || epochOf(stored?.text) === mine.epoch) throw error
      return error as Error
    }
  }

  /** How long the lease holds now; undefined: it has ended, or there is none. */
  async #extended(): Promise<number | undefined> {
    if (this.#lease === undefined) return undefined
    const ttlMs = await this.#registry.etcd.keepAlive(this.#lease, this.#waitMs)
    if (ttlMs > 0) return ttlMs
    this.#lease = undefined
    return undefined
  }

  async #registered(): Promise<number> {
    const { etcd } = this.#registry
    const { server, weight, leaseMs } = this.#options
    if (this.#replaced) {
      // Two that took the name from each other would both believe to have it.
      const [, member] = await this.#registry.lookAt(server, this.#waitMs)
      if (member !== undefined) throw this.#conflict()
      this.#replaced = false
    }
    const { id, ttlMs } = await etcd.grant(leaseMs, this.#waitMs)
    const value = Registry.memberValue(weight, this.#run)
    await etcd.put(this.#registry.memberKey(server), value, id, this.#waitMs)
    this.#lease = id
    return ttlMs
  }

  async #look(): Promise<void> {
    try {
      await this.#take(await this.#registry.placement(this.#waitMs))
    } catch (error) {
      this.#note(error)
    }
  }

  /**
   * Ends a freeze whose mover is gone. Its lock is gone by then, without which it cannot change the
   * placement, and what it may have changed before is taken first.
   */
  async #lookAtMover(): Promise<void> {
    const lock = this.#native.frozenBy()
    if (lock === 0 || this.#looksAtMover) return
    this.#looksAtMover = true
    try {
      const [stored, created] = await this.#registry.lookAtMover(this.#waitMs)
      // Without a map it cannot be known what the mover has put.
      if (created === String(lock) || stored === undefined) return
      await this.#take(stored)
      await this.#native.thaw(lock)
    } catch (error) {
      this.#note(error)
    } finally {
      this.#looksAtMover = false
    }
  }

  /** A placement that is gone leaves the server the one it has. */
  async #take(stored: StoredPlacement | undefined): Promise<void> {
    if (stored === undefined || this.#stopped) return
    if (stored.text === this.#native.placement()) return
    await this.#native.setPlacement(stored.text, this.#options.server)
  }
}

/** Of what may be no placement. */
function epochOf(text: string | undefined): number | undefined {
  try {
    return placementOf(text ?? '').epoch
  } catch {
    return undefined
  }
}
