// The loss and its gradients. Score of a user for an item: u · v. For each item p of a user,
//
//   loss = w · -log( exp(u·v_p) / (exp(u·v_p) + c · Σ_j exp(u·v_j)) )
//
// over the negatives j of the batch; c = items / negatives, so that the sum stands for the whole
// catalogue. With w = 1 / √(the user's items in the batch) neither the users with many items nor
// those with few drown the others. Jean, Cho, Memisevic, Bengio 2015 has the sampled softmax.

import type { Batch } from './batches.ts'
import { scores, weightedSums } from './matrix.ts'
import { DIM, L2 } from './settings.ts'

export interface Gradients {
  /** [users, dim] and [items, dim], in the order of the batch's keys. */
  readonly users: Float32Array
  readonly items: Float32Array
  /** The mean over the positives, without weights. */
  readonly loss: number
}

/**
 * @param users rows of the batch's users [users, dim]
 * @param items rows of the batch's items [items, dim]
 * @param catalogue how many items there are in all
 */
export function softmaxGradients(
  batch: Batch,
  users: Float32Array,
  items: Float32Array,
  catalogue: number,
): Gradients {
  const negatives = items.subarray(0, batch.negatives * DIM)
  const weights = new Float32Array((users.length / DIM) * batch.negatives)
  const slopes = new Float32Array(batch.positives.length)
  scores(users, negatives, DIM, weights)
  const loss = slopesOf(batch, users, items, catalogue / batch.negatives, weights, slopes)

  const gradients = {
    users: new Float32Array(users.length),
    items: new Float32Array(items.length),
    loss,
  }
  weightedSums(weights, false, negatives, DIM, gradients.users)
  weightedSums(weights, true, users, DIM, gradients.items.subarray(0, negatives.length))
  addPositives(batch, users, items, slopes, gradients)
  addDecay(users, gradients.users)
  addDecay(items, gradients.items)
  return gradients
}

/**
 * Derivatives of the loss by the scores.
 *
 * @param weights scores of the negatives in, their derivatives out [users, negatives]
 * @param slopes derivatives for the positives, out [positives]
 * @returns the mean loss
 */
function slopesOf(
  { offsets, positives, negatives }: Batch,
  users: Float32Array,
  items: Float32Array,
  scale: number,
  weights: Float32Array,
  slopes: Float32Array,
): number {
  let loss = 0
  for (let user = 0; user < offsets.length - 1; user++) {
    const row = weights.subarray(user * negatives, (user + 1) * negatives)
    let others = 0
    for (let j = 0; j < negatives; j++) {
      row[j] = scale * Math.exp(row[j]!)
      others += row[j]!
    }
    const [start, end] = [offsets[user]!, offsets[user + 1]!]
    const weight = 1 / Math.sqrt(end - start)
    let share = 0
    for (let p = start; p < end; p++) {
      const own = Math.exp(dot(users, user * DIM, items, positives[p]! * DIM))
      const chance = own / (own + others)
      slopes[p] = weight * (chance - 1)
      share += weight / (own + others)
      loss -= Math.log(chance)
    }
    for (let j = 0; j < negatives; j++) row[j] = row[j]! * share
  }
  return loss / positives.length
}

function addPositives(
  { offsets, positives }: Batch,
  users: Float32Array,
  items: Float32Array,
  slopes: Float32Array,
  gradients: Gradients,
): void {
  for (let user = 0; user < offsets.length - 1; user++) {
    const u = user * DIM
    for (let p = offsets[user]!; p < offsets[user + 1]!; p++) {
      const slope = slopes[p]!
      const v = positives[p]! * DIM
      for (let k = 0; k < DIM; k++) {
        gradients.users[u + k] = gradients.users[u + k]! + slope * items[v + k]!
        gradients.items[v + k] = gradients.items[v + k]! + slope * users[u + k]!
      }
    }
  }
}

/** Pulls the rows of the batch towards zero. */
function addDecay(rows: Float32Array, gradients: Float32Array): void {
  for (let i = 0; i < rows.length; i++) gradients[i] = gradients[i]! + L2 * rows[i]!
}

function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number): number {
  let sum = 0
  for (let k = 0; k < DIM; k++) sum += a[aStart + k]! * b[bStart + k]!
  return sum
}
