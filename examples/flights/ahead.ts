// The same pass as train.ts, through a pipeline: the rows of the next batches are on their way
// while this one is worked on, and its gradients go behind it. A batch's rows lack at most the
// pushes of the last `depth` batches before it.

import type { Store, Table } from 'hotrow'
import type { Flights } from './data.ts'
import {
  BATCH_SIZE,
  type EndStep,
  judgeBatch,
  type Progress,
  partSize,
  type Run,
  type Share,
} from './train.ts'

/** A model as functions of rows that somebody else looks up. */
export interface AheadModel {
  readonly table: Table
  /** Keys of rows [start, end) of the data, FIELD_COUNT each. */
  prepare(start: number, end: number): BigUint64Array
  /** Logits from the rows of the keys; valid until the next call. */
  logits(rows: Float32Array): Float32Array
  /** Gradients of the same rows, in an array of their own. errors: probability - label. */
  gradients(rows: Float32Array, errors: Float32Array): Float32Array
}

interface Part {
  readonly start: number
  readonly end: number
  readonly keys: BigUint64Array
}

/** @param onProgress is called now and then, a few times a second */
export async function trainAhead(
  model: AheadModel,
  store: Store,
  flights: Flights,
  depth: number,
  onProgress: (progress: Pick<Progress, 'rows'>) => void,
  share: Share,
  endStep?: EndStep,
): Promise<Run> {
  const { rows, late } = flights
  const size = partSize(share)
  function* parts(): Generator<Part> {
    for (let start = share.index * size; start < rows; start += share.of * size) {
      const end = Math.min(start + size, rows)
      // Several batches are in use at once.
      yield { start, end, keys: model.prepare(start, end).slice() }
    }
  }
  const probabilities = new Float32Array(rows)
  const errors = new Float32Array(BATCH_SIZE)
  const started = performance.now()
  let reported = started
  const requests = ({ keys }: Part): [[Table, BigUint64Array]] => [[model.table, keys]]
  for await (const step of store.pipeline(parts(), { depth, requests })) {
    const { start, end } = step.batch
    const looked = step.rows[0]!
    const z = model.logits(looked)
    judgeBatch(z, late.subarray(start, end), probabilities.subarray(start, end), errors)
    step.push([model.gradients(looked, errors.subarray(0, end - start))])
    await endStep?.()
    const now = performance.now()
    if (now - reported < 200) continue
    reported = now
    onProgress({ rows: end })
  }
  onProgress({ rows })
  return { probabilities, seconds: (performance.now() - started) / 1000 }
}
