// Draws the batches of an epoch: every user once, in random order, with some of its items and the
// items that the whole batch is to rank below them.

import type { uniformSource } from '../common/random.ts'
import type { Gowalla } from './data.ts'
import { NEGATIVES_PER_BATCH, POSITIVES_PER_USER, USERS_PER_BATCH } from './settings.ts'

/** Users and items are their own keys. */
export interface Batch {
  /** [users], no two alike */
  readonly userKeys: BigUint64Array
  /** [distinct items], the negatives first */
  readonly itemKeys: BigUint64Array
  readonly negatives: number
  /** Where the items of user b are among the item keys: positives[offsets[b]] and so on. */
  readonly positives: Uint32Array
  readonly offsets: Uint32Array
}

export class Batches {
  readonly #data: Gowalla
  readonly #random: ReturnType<typeof uniformSource>
  readonly #users: Uint32Array
  /** Those of train, in an order that drawing changes. */
  readonly #items: Uint32Array
  /** Where an item is in the batch being made; -1 when it is not. */
  readonly #place: Int32Array

  constructor(data: Gowalla, random: ReturnType<typeof uniformSource>) {
    this.#data = data
    this.#random = random
    this.#users = Uint32Array.from({ length: data.users }, (_, user) => user)
    this.#items = data.train.items.slice()
    this.#place = new Int32Array(data.items).fill(-1)
  }

  *epoch(): Generator<Batch> {
    this.#shuffle(this.#users, this.#users.length)
    for (let start = 0; start < this.#users.length; start += USERS_PER_BATCH) {
      yield this.#batch(this.#users.subarray(start, start + USERS_PER_BATCH))
    }
  }

  #batch(users: Uint32Array): Batch {
    const items: number[] = []
    const negatives = Math.min(NEGATIVES_PER_BATCH, this.#data.items)
    while (items.length < negatives) this.#add(this.#below(this.#data.items), items)

    const positives: number[] = []
    const offsets = [0]
    for (const user of users) {
      for (const item of this.#draw(user)) positives.push(this.#add(item, items))
      offsets.push(positives.length)
    }
    for (const item of items) this.#place[item] = -1
    return {
      userKeys: BigUint64Array.from(users, BigInt),
      itemKeys: BigUint64Array.from(items, BigInt),
      negatives,
      positives: Uint32Array.from(positives),
      offsets: Uint32Array.from(offsets),
    }
  }

  /** The place of an item in the batch, which it joins when it is not in it. */
  #add(item: number, items: number[]): number {
    if (this.#place[item] === -1) this.#place[item] = items.push(item) - 1
    return this.#place[item]!
  }

  /** Some items of a user, none twice. */
  #draw(user: number): Uint32Array {
    const { offsets } = this.#data.train
    const items = this.#items.subarray(offsets[user], offsets[user + 1])
    if (items.length <= POSITIVES_PER_USER) return items
    this.#shuffle(items, POSITIVES_PER_USER)
    return items.subarray(0, POSITIVES_PER_USER)
  }

  /** Draws the first `count` values without replacement (Fisher and Yates). */
  #shuffle(values: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const other = i + this.#below(values.length - i)
      const value = values[i]!
      values[i] = values[other]!
      values[other] = value
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}
