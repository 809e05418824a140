/**
 * The mover: brings slots from server to server while clients go on, a group at a time, and changes
 * the placement in etcd after each. Whatever dies at whichever step, a group has one owner: its
 * change of the placement is made only while the mover has its lock, and only while the two servers
 * are those it has copied from and to.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { NativeConnectOptions } from '../addon.ts'
import type { NativeMoved, NativeMover } from '../addon-server.ts'
import { callError, StoreError } from '../errors.ts'
import { addon } from '../native.ts'
import type { Condition } from './etcd.ts'
import { MoverLock } from './lock.ts'
import { refusal } from './refused.ts'
import type { ClusterPlacement, Registry, StoredPlacement } from './registry.ts'
import { placementOf } from './registry.ts'
import { ownersOf, type SlotMove, slotCount, slotsText, withMoved, withServers } from './slots.ts'

/** How far the work has come, after each group. */
export interface MoveProgress {
  /** Of the group. */
  from: string
  to: string
  /** Moved so far, and in all. */
  slots: number
  ofSlots: number
  /** Rows and bytes sent so far, those that changed on the way twice. */
  rows: number
  bytes: number
  /** For how long changes of the group waited. */
  freezeMs: number
}

/** What has been done. */
export interface MoveResult {
  placement: ClusterPlacement
  slots: number
  groups: number
  rows: number
  bytes: number
  /** For how long changes of a group waited: of all groups; 0 where there were none. */
  freezeMs: { median: number; longest: number }
}

/** Steps of a group, at which a test lets somebody die. */
export type MoveStep = 'paused' | 'copied' | 'frozen' | 'changed' | 'told'

/** Of one run of the mover. */
export interface MoverOptions {
  native: Omit<NativeConnectOptions, 'servers' | 'placement'>
  leaseMs: number
  waitMs: number
  progress?: ((progress: MoveProgress) => void) | undefined
  signal?: AbortSignal | undefined
  step?: ((step: MoveStep) => Promise<void>) | undefined
}

const timeoutMs = 5000
/** Of a group: a freeze reads it once more, so this bounds it. */
const firstBytes = 2 ** 20
const mostBytes = 2 ** 22
const leastBytes = 2 ** 14
/**
 * Of a freeze's part that a group's size decides: groups grow below the one and shrink above the
 * other. The rest is etcd's and the servers' to take a placement.
 */
const shortReadMs = 5
const longReadMs = 12
const mostTries = 20
const retryMs = 50

const codeOf = (error: unknown): string | undefined =>
  error instanceof StoreError ? error.code : undefined

export class Mover {
  readonly #registry: Registry
  readonly #options: MoverOptions
  readonly #lock: MoverLock
  #stored: StoredPlacement
  #native: NativeMover | undefined
  #groupBytes = firstBytes
  /** Of each server, by the last group that was copied from it. */
  readonly #bytesASlot = new Map<string, number>()
  readonly #freezes: number[] = []
  #slots = 0
  #rows = 0
  #bytes = 0

  private constructor(
    registry: Registry,
    options: MoverOptions,
    lock: MoverLock,
    stored: StoredPlacement,
  ) {
    this.#registry = registry
    this.#options = options
    this.#lock = lock
    this.#stored = stored
  }

  /** work(mover) under the lock. */
  static async run(
    registry: Registry,
    options: MoverOptions,
    work: (mover: Mover) => Promise<void>,
  ): Promise<MoveResult> {
    const lock = await MoverLock.take(registry, options.leaseMs, options.waitMs)
    let made: Mover | undefined
    try {
      const stored = await registry.placement()
      if (stored === undefined) {
        throw callError('ERR_NOT_FOUND', `cluster '${registry.cluster}' has no placement yet`)
      }
      made = new Mover(registry, options, lock, stored)
      await work(made)
      return made.#result()
    } finally {
      await made?.close()
      await lock.release()
    }
  }

  /** Who has each slot. */
  get owners(): string[] {
    return ownersOf(this.#stored.text)
  }

  get servers(): string[] {
    return addon.readPlacement(this.#stored.text).servers
  }

  /** Names other servers in the placement; those with slots must be among them. */
  async setServers(servers: string[]): Promise<void> {
    const text = withServers(this.#stored.text, servers)
    const { etcd, placementKey } = this.#registry
    const { revision } = this.#stored
    const conditions = [this.#lock.condition]
    if (!(await etcd.swapIf(placementKey, revision, text, conditions, timeoutMs))) {
      throw await refusal(this.#registry, this.#stored, conditions)
    }
    await this.#read(text)
    // The next group is between others.
    await this.close()
  }

  /** Its connections. */
  async close(): Promise<void> {
    await this.#native?.close()
    this.#native = undefined
  }

  /** Moves slots, in groups. */
  async move(moves: readonly SlotMove[]): Promise<void> {
    const ofSlots = moves.reduce((sum, { slots }) => sum + slots.length, 0)
    if (ofSlots === 0) return
    for (const { from, to, slots } of moves) {
      for (let at = 0; at < slots.length; ) {
        this.#options.signal?.throwIfAborted()
        const group = { from, to, slots: slots.slice(at, at + (await this.#groupSlots(from))) }
        const freezeMs = await this.#moveGroup(group)
        at += group.slots.length
        this.#slots += group.slots.length
        this.#freezes.push(freezeMs)
        const [rows, bytes] = [this.#rows, this.#bytes]
        this.#options.progress?.({ from, to, slots: this.#slots, ofSlots, rows, bytes, freezeMs })
      }
    }
  }

  #result(): MoveResult {
    const sorted = [...this.#freezes].sort((a, b) => a - b)
    return {
      placement: placementOf(this.#stored.text),
      slots: this.#slots,
      groups: sorted.length,
      rows: this.#rows,
      bytes: this.#bytes,
      freezeMs: { median: sorted[sorted.length >> 1] ?? 0, longest: sorted.at(-1) ?? 0 },
    }
  }

  async #connected(): Promise<NativeMover> {
    if (this.#native !== undefined) return this.#native
    const native = new addon.NativeMover(
      { ...this.#options.native, servers: this.servers, placement: '' },
      Number(this.#lock.revision),
    )
    try {
      await native.connect()
    } catch (error) {
      await native.close()
      throw error
    }
    this.#native = native
    return native
  }

  /** As many of its slots as may be moved together, by the rows that a slot has on average. */
  async #groupSlots(from: string): Promise<number> {
    let bytesASlot = this.#bytesASlot.get(from)
    if (bytesASlot === undefined) {
      const { bytes } = await (await this.#connected()).held(from)
      bytesASlot = bytes / Math.max(this.owners.filter((owner) => owner === from).length, 1)
    }
    if (bytesASlot === 0) return slotCount
    return Math.max(1, Math.floor(this.#groupBytes / bytesASlot))
  }

  #copied({ from, slots }: SlotMove, { rows, bytes }: NativeMoved): void {
    // Of slots without rows nothing is to be learnt about the others.
    if (bytes === 0) this.#bytesASlot.delete(from)
    else this.#bytesASlot.set(from, bytes / slots.length)
    this.#rows += rows
    this.#bytes += bytes
  }

  #frozenFor(ms: number, { rows, bytes }: NativeMoved): void {
    if (ms > longReadMs) this.#groupBytes = Math.max(this.#groupBytes / 2, leastBytes)
    if (ms < shortReadMs) this.#groupBytes = Math.min(this.#groupBytes * 2, mostBytes)
    this.#rows += rows
    this.#bytes += bytes
  }

  /** For how long changes waited. Tried again when a version or a placement came between. */
  async #moveGroup(move: SlotMove): Promise<number> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#tryGroup(await this.#connected(), move)
      } catch (error) {
        // A server that has not heard of the placement yet refuses its slots.
        const passes = ['ERR_BUSY', 'ERR_WRONG_OWNER'].includes(codeOf(error) ?? '')
        if (!passes || tries === mostTries) throw error
        await sleep(retryMs)
      }
    }
  }

  async #tryGroup(native: NativeMover, move: SlotMove): Promise<number> {
    const { from, to } = move
    const step = async (name: MoveStep): Promise<void> => this.#options.step?.(name)
    await native.pauseVersions()
    try {
      // Before the copy: who was started anew since has other rows, and no freeze.
      const alive = await this.#alive([from, to])
      await step('paused')
      this.#copied(move, await native.copy(from, to, slotsText(move.slots)))
      await step('copied')
      // Before the freeze, which it would make longer.
      const text = withMoved(this.#stored.text, move)
      const begun = performance.now()
      await this.#frozen(native, async () => {
        const moved = await native.freeze()
        this.#frozenFor(performance.now() - begun, moved)
        await step('frozen')
      })
      await this.#change(native, text, alive)
      await step('changed')
      // Both would hear of it, a moment later.
      await native.tell(text).catch(() => {})
      const freezeMs = performance.now() - begun
      await step('told')
      await this.#read(text)
      return freezeMs
    } finally {
      await native.resumeVersions()
    }
  }

  /** Nothing was put: what went wrong ends the freeze at once. */
  async #frozen(native: NativeMover, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      // A server that is gone has frozen nothing.
      await native.thaw().catch(() => {})
      throw error
    }
  }

  async #change(native: NativeMover, text: string, alive: readonly Condition[]): Promise<void> {
    const { etcd, placementKey } = this.#registry
    const conditions = [this.#lock.condition, ...alive]
    let changed: boolean
    try {
      changed = await etcd.swapIf(placementKey, this.#stored.revision, text, conditions, timeoutMs)
    } catch (error) {
      // It may still be made: only without the lock it cannot, and then the server thaws by itself.
      await this.#lock.release()
      throw error
    }
    if (changed) return
    await native.thaw().catch(() => {})
    throw await refusal(this.#registry, this.#stored, conditions)
  }

  /** That these servers are the processes that they are now. */
  async #alive(servers: readonly string[]): Promise<Condition[]> {
    const keys = servers.map((server) => this.#registry.memberKey(server))
    const members = await this.#registry.etcd.get(keys, timeoutMs)
    return members.map((member, i) => {
      if (member === undefined) {
        throw callError('ERR_UNAVAILABLE', `server '${servers[i]}' is not alive`)
      }
      return { key: member.key, target: 'MOD', revision: member.revision }
    })
  }

  /** The revision of what has just been put. */
  async #read(text: string): Promise<void> {
    const stored = await this.#registry.placement()
    if (stored?.text !== text) {
      const { cluster } = this.#registry
      const why = `somebody else has changed the placement of cluster '${cluster}' since`
      throw callError('ERR_CONFLICT', why)
    }
    this.#stored = stored
  }
}
