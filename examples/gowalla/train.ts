// Learns from every user once an epoch.

import { uniformSource } from '../common/random.ts'
import { Batches } from './batches.ts'
import type { Gowalla } from './data.ts'
import { softmaxGradients } from './loss.ts'
import { SEED, USERS_PER_BATCH } from './settings.ts'
import type { Model } from './tables.ts'

export class Trainer {
  readonly #model: Model
  readonly #catalogue: number
  readonly #batches: Batches
  readonly #steps: number
  #step = 0

  constructor(model: Model, data: Gowalla, epochs: number) {
    this.#model = model
    this.#catalogue = data.items
    this.#batches = new Batches(data, uniformSource(SEED))
    this.#steps = epochs * Math.ceil(data.users / USERS_PER_BATCH)
  }

  /** @param onBatch is told the users and items learned from and the loss of a batch */
  async epoch(onBatch: (users: number, positives: number, loss: number) => void): Promise<void> {
    const { store, users, items } = this.#model
    for (const batch of this.#batches.epoch()) {
      const [userRows, itemRows] = await store.lookupAll([
        [users, batch.userKeys],
        [items, batch.itemKeys],
      ])
      const gradients = softmaxGradients(batch, userRows!, itemRows!, this.#catalogue)
      this.#fade(gradients.users, gradients.items)
      await store.pushAll([
        [users, batch.userKeys, gradients.users],
        [items, batch.itemKeys, gradients.items],
      ])
      onBatch(batch.userKeys.length, batch.positives.length, gradients.loss)
    }
  }

  /**
   * Makes the steps die away. A table keeps its learning rate; for Adagrad, which divides by the
   * gradients of the past, a smaller gradient is a smaller step.
   */
  #fade(...gradients: Float32Array[]): void {
    const left = (1 - this.#step++ / this.#steps) ** 2
    for (const values of gradients) {
      for (let i = 0; i < values.length; i++) values[i] = values[i]! * left
    }
  }
}
