/** The one mover of a cluster: a key of etcd under its lease. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { callError } from '../errors.ts'
import type { Condition } from './etcd.ts'
import type { Registry } from './registry.ts'

const timeoutMs = 5000
const lookMs = 100
const renewalsALease = 3

export class MoverLock {
  readonly #registry: Registry
  readonly #lease: string
  readonly #timer: NodeJS.Timeout
  /** Of its creation: what each change of the placement compares, and servers know it by. */
  readonly revision: string

  private constructor(registry: Registry, lease: string, timer: NodeJS.Timeout, revision: string) {
    this.#registry = registry
    this.#lease = lease
    this.#timer = timer
    this.revision = revision
  }

  /**
   * Waits for another mover, or for the lease of one that died; rejects with ERR_BUSY, which says
   * who that is, after `waitMs`.
   */
  static async take(registry: Registry, leaseMs: number, waitMs: number): Promise<MoverLock> {
    const { etcd, moverKey } = registry
    const value = JSON.stringify({ run: randomUUID(), host: hostname(), pid: process.pid })
    const { id, ttlMs } = await etcd.grant(leaseMs, timeoutMs)
    // One that fails is made up for by the next; without any the lock ends.
    const renewing = setInterval(
      () => void etcd.keepAlive(id, timeoutMs).catch(() => 0),
      ttlMs / renewalsALease,
    )
    try {
      for (
        const end = Date.now() + waitMs;
        !(await etcd.create(moverKey, value, id, timeoutMs));
      ) {
        if (Date.now() >= end) throw await MoverLock.#taken(registry)
        await sleep(lookMs)
      }
      const [its] = await etcd.get([moverKey], timeoutMs)
      if (its?.value !== value) throw callError('ERR_BUSY', 'the mover has lost its lock')
      return new MoverLock(registry, id, renewing, its.created)
    } catch (error) {
      clearInterval(renewing)
      await etcd.revoke(id, timeoutMs).catch(() => {})
      throw error
    }
  }

  static async #taken({ etcd, moverKey, cluster }: Registry): Promise<Error> {
    const [its] = await etcd.get([moverKey], timeoutMs)
    return callError('ERR_BUSY', `cluster '${cluster}' has a mover: ${its?.value ?? 'another one'}`)
  }

  /** That the lock is still this mover's. */
  get condition(): Condition {
    return { key: this.#registry.moverKey, target: 'CREATE', revision: this.revision }
  }

  /** From then on no change under this lock can be made any more. Where etcd is gone: a lease. */
  async release(): Promise<void> {
    clearInterval(this.#timer)
    await this.#registry.etcd.revoke(this.#lease, timeoutMs).catch(() => {})
  }
}
