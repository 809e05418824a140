// The arithmetic of a factorisation machine (Rendle, 2010) with eight factors:
//
//   logit = Σ w_i + ½ Σ_k ((Σ_i v_ik)² - Σ_i v_ik²)      over the features i of a flight
//
// A feature's row is [w, v_0 .. v_7]. Flat arrays and the store share this file: where a row lies
// is given by an array of places. The factors are written out by hand because V8 then keeps the
// eight sums in registers, which makes it half as fast again as a loop over k.

import { FIELD_COUNT } from './features.ts'
import { FACTORS } from './settings.ts'

/** Floats in a row: the linear weight and the factors. */
export const ROW = 1 + FACTORS

/**
 * @param weights holds the rows
 * @param places where in `weights` the row of each feature begins [n × FIELD_COUNT]
 * @param sums receives Σ_i v_ik, which the gradients need again [n × FACTORS]
 * @param logits receives the result [n]
 */
export function fmLogits(
  weights: Float32Array,
  places: Uint32Array,
  sums: Float32Array,
  logits: Float32Array,
): void {
  const rows = places.length / FIELD_COUNT
  for (let row = 0, i = 0, to = 0; row < rows; row++, to += FACTORS) {
    let linear = 0
    let squares = 0
    let s0 = 0
    let s1 = 0
    let s2 = 0
    let s3 = 0
    let s4 = 0
    let s5 = 0
    let s6 = 0
    let s7 = 0
    for (const end = i + FIELD_COUNT; i < end; i++) {
      const at = places[i]!
      const v0 = weights[at + 1]!
      const v1 = weights[at + 2]!
      const v2 = weights[at + 3]!
      const v3 = weights[at + 4]!
      const v4 = weights[at + 5]!
      const v5 = weights[at + 6]!
      const v6 = weights[at + 7]!
      const v7 = weights[at + 8]!
      linear += weights[at]!
      squares += v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3 + v4 * v4 + v5 * v5 + v6 * v6 + v7 * v7
      s0 += v0
      s1 += v1
      s2 += v2
      s3 += v3
      s4 += v4
      s5 += v5
      s6 += v6
      s7 += v7
    }
    sums[to] = s0
    sums[to + 1] = s1
    sums[to + 2] = s2
    sums[to + 3] = s3
    sums[to + 4] = s4
    sums[to + 5] = s5
    sums[to + 6] = s6
    sums[to + 7] = s7
    const pairs = s0 * s0 + s1 * s1 + s2 * s2 + s3 * s3 + s4 * s4 + s5 * s5 + s6 * s6 + s7 * s7
    logits[row] = linear + (pairs - squares) / 2
  }
}

/**
 * Adds the gradients of a batch to `gradients`: error for w, error × (Σ v_k - v_k) for v_k.
 *
 * @param errors probability - label [n]
 * @param sums as fmLogits left them
 * @param targets where in `gradients` that of each feature begins [n × FIELD_COUNT]
 */
export function addFmGradients(
  weights: Float32Array,
  places: Uint32Array,
  errors: Float32Array,
  sums: Float32Array,
  targets: Uint32Array,
  gradients: Float32Array,
): void {
  const g = gradients
  const w = weights
  for (let row = 0, i = 0, from = 0; row < errors.length; row++, from += FACTORS) {
    const error = errors[row]!
    const s0 = sums[from]!
    const s1 = sums[from + 1]!
    const s2 = sums[from + 2]!
    const s3 = sums[from + 3]!
    const s4 = sums[from + 4]!
    const s5 = sums[from + 5]!
    const s6 = sums[from + 6]!
    const s7 = sums[from + 7]!
    for (const end = i + FIELD_COUNT; i < end; i++) {
      const at = places[i]!
      const to = targets[i]!
      g[to]! += error
      g[to + 1]! += error * (s0 - w[at + 1]!)
      g[to + 2]! += error * (s1 - w[at + 2]!)
      g[to + 3]! += error * (s2 - w[at + 3]!)
      g[to + 4]! += error * (s3 - w[at + 4]!)
      g[to + 5]! += error * (s4 - w[at + 5]!)
      g[to + 6]! += error * (s5 - w[at + 6]!)
      g[to + 7]! += error * (s6 - w[at + 7]!)
      g[to + 8]! += error * (s7 - w[at + 8]!)
    }
  }
}
