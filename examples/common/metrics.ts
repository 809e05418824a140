// Scores of a binary classifier.

/**
 * Area under the ROC curve, exact: the chance that a positive scores above a negative, ties half.
 * NaN when only one class is present.
 *
 * @param scores [n], none negative
 * @param labels [n], 0 or 1
 */
export function auc(scores: Float32Array, labels: Uint8Array): number {
  // Floats that are not negative order like their bits; the label rides below them, so that one
  // native sort of plain numbers does it all.
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, scores.length)
  const sorted = new Float64Array(scores.length)
  for (let i = 0; i < sorted.length; i++) {
    sorted[i] = bits[i]! * 2 + labels[i]!
  }
  sorted.sort()
  let negatives = 0
  let positives = 0
  let wins = 0
  for (let i = 0; i < sorted.length; ) {
    const score = Math.floor(sorted[i]! / 2)
    let tiedNegatives = 0
    let tiedPositives = 0
    for (; i < sorted.length && Math.floor(sorted[i]! / 2) === score; i++) {
      if (sorted[i]! % 2 === 1) tiedPositives++
      else tiedNegatives++
    }
    wins += tiedPositives * (negatives + tiedNegatives / 2)
    negatives += tiedNegatives
    positives += tiedPositives
  }
  return wins / (negatives * positives)
}

/** Mean of -log(probability given to what happened). */
export function logLoss(probabilities: Float32Array, labels: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < labels.length; i++) {
    const p = probabilities[i]!
    sum -= Math.log(Math.max(labels[i] === 1 ? p : 1 - p, 1e-15))
  }
  return sum / labels.length
}

const BINS = 1024

/** The AUC of everything seen so far, from two histograms: right to about three digits. */
export class RunningAuc {
  readonly #negatives = new Float64Array(BINS)
  readonly #positives = new Float64Array(BINS)

  add(probability: number, label: number): void {
    const bin = Math.min(BINS - 1, (probability * BINS) | 0)
    const counts = label === 1 ? this.#positives : this.#negatives
    counts[bin] = counts[bin]! + 1
  }

  value(): number {
    let negatives = 0
    let positives = 0
    let wins = 0
    for (let bin = 0; bin < BINS; bin++) {
      const negative = this.#negatives[bin]!
      const positive = this.#positives[bin]!
      wins += positive * (negatives + negative / 2)
      negatives += negative
      positives += positive
    }
    return wins / (negatives * positives)
  }
}
