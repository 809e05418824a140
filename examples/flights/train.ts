// One pass over the flights in time order: every batch is predicted before it is learned.
//
// The loop knows nothing of where a model keeps its weights. A model that works elsewhere returns
// promises, and the loop uses the time: while the model looks rows up, the next batch is prepared;
// while it learns, the scores of the batch are taken. Calls are made in the order prepare,
// predict, learn, predict, learn ..., and a model must carry them out in that order: then nothing
// of a batch is learned before the batch has been predicted, and all of it before the next is.

import type { Table } from 'hotrow'
import { RunningAuc } from '../common/metrics.ts'
import type { Flights } from './data.ts'

export const BATCH_SIZE = 2048

/** @typeParam B a batch in the model's own form: ids, keys */
export interface Model<B> {
  /** Takes rows [start, end) of the data in. The batch before it may still be in use. */
  prepare(start: number, end: number): B
  /** Logits [end - start] of a batch; valid until the next call of predict. */
  predict(batch: B): Float32Array | Promise<Float32Array>
  /** Learns from the batch that was predicted last. errors [end - start]: probability - label. */
  learn(batch: B, errors: Float32Array): void | Promise<void>
  size(): Size | Promise<Size>
}

export interface Size {
  readonly ids: number
  /** Weights, optimizer state and whatever finds them. */
  readonly bytes: number
}

export async function tableSize(table: Table): Promise<Size> {
  const { rows, rowBytes, buckets } = await table.stats()
  return { ids: rows, bytes: rows * rowBytes + buckets * 64 }
}

export interface Progress {
  readonly rows: number
  readonly rowsPerSecond: number
  readonly auc: number
}

export interface Run {
  /** What the model gave each flight before it learned from it [rows]. */
  readonly probabilities: Float32Array
  readonly seconds: number
}

/** Of every batch the part at `index` of `of` is trained on here, the others elsewhere. */
export interface Share {
  readonly index: number
  readonly of: number
}

/** Waits for the other trainers, as long as their sync mode says. */
export type EndStep = () => Promise<void>

const ALL: Share = { index: 0, of: 1 }

/** Rows of one trainer's part of a batch. */
export function partSize({ of }: Share): number {
  return Math.max(Math.floor(BATCH_SIZE / of), 1)
}

/** Probabilities [n] of logits, and how far each is from its label: probability - label. */
export function judgeBatch(
  logits: Float32Array,
  labels: Uint8Array,
  probabilities: Float32Array,
  errors: Float32Array,
): void {
  for (let row = 0; row < labels.length; row++) {
    const probability = 1 / (1 + Math.exp(-logits[row]!))
    probabilities[row] = probability
    errors[row] = probability - labels[row]!
  }
}

/**
 * @param onProgress is called now and then, a few times a second; waited for when it is async
 * @param endStep is called after each batch, when its gradients have been pushed
 */
export async function train<B>(
  model: Model<B>,
  flights: Flights,
  onProgress: (progress: Progress) => void | Promise<void>,
  share: Share = ALL,
  endStep?: EndStep,
): Promise<Run> {
  const { rows, late } = flights
  const probabilities = new Float32Array(rows)
  const errors = new Float32Array(BATCH_SIZE)
  const running = new RunningAuc()
  const started = performance.now()
  let reported = started

  const size = partSize(share)
  const first = share.index * size
  const step = share.of * size
  if (first >= rows) return { probabilities, seconds: 0 }
  let batch = model.prepare(first, Math.min(first + size, rows))
  let logits = model.predict(batch)
  let learned: void | Promise<void> = Promise.resolve()
  for (let start = first; start < rows; start += step) {
    const end = Math.min(start + size, rows)
    const next = start + step
    const current = batch
    if (next < rows) batch = model.prepare(next, Math.min(next + size, rows))
    const [z] = await Promise.all([logits, learned])
    judgeBatch(z, late.subarray(start, end), probabilities.subarray(start, end), errors)
    learned = model.learn(current, errors.subarray(0, end - start))
    if (endStep !== undefined) {
      await learned
      await endStep()
    }
    if (next < rows) logits = model.predict(batch)
    for (let row = start; row < end; row++) {
      running.add(probabilities[row]!, late[row]!)
    }
    const now = performance.now()
    if (now - reported > 200) {
      reported = now
      const rowsPerSecond = (end / (now - started)) * 1000
      await onProgress({ rows: end, rowsPerSecond, auc: running.value() })
    }
  }
  await learned
  const seconds = (performance.now() - started) / 1000
  await onProgress({ rows, rowsPerSecond: rows / seconds, auc: running.value() })
  return { probabilities, seconds }
}
