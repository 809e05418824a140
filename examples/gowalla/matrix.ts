// Two products of row-major matrices, where nearly all of the time goes.
//
// Eight sums are kept in local variables, so that a value that has been read is used several times;
// that makes it about three times as fast as one sum after the other. At an edge the last row is
// computed twice rather than by code of its own.

/** out[i, j] = left[i] · right[j], for left [m, dim], right [n, dim], out [m, n]. */
export function scores(
  left: Float32Array,
  right: Float32Array,
  dim: number,
  out: Float32Array,
): void {
  const m = left.length / dim
  const n = right.length / dim
  for (let j = 0; j < n; j += 4) {
    const j1 = Math.min(j + 1, n - 1)
    const j2 = Math.min(j + 2, n - 1)
    const j3 = Math.min(j + 3, n - 1)
    const [r0, r1, r2, r3] = [j * dim, j1 * dim, j2 * dim, j3 * dim]
    for (let i = 0; i < m; i += 2) {
      const next = Math.min(i + 1, m - 1)
      const [a, b] = [i * dim, next * dim]
      let [a0, a1, a2, a3] = [0, 0, 0, 0]
      let [b0, b1, b2, b3] = [0, 0, 0, 0]
      for (let k = 0; k < dim; k++) {
        const x = left[a + k]!
        const y = left[b + k]!
        const p = right[r0 + k]!
        const q = right[r1 + k]!
        const r = right[r2 + k]!
        const s = right[r3 + k]!
        a0 += x * p
        a1 += x * q
        a2 += x * r
        a3 += x * s
        b0 += y * p
        b1 += y * q
        b2 += y * r
        b3 += y * s
      }
      const [upper, lower] = [i * n, next * n]
      out[upper + j] = a0
      out[upper + j1] = a1
      out[upper + j2] = a2
      out[upper + j3] = a3
      out[lower + j] = b0
      out[lower + j1] = b1
      out[lower + j2] = b2
      out[lower + j3] = b3
    }
  }
}

/**
 * out[i] = Σ_j weight(i, j) · rows[j], for rows [n, dim], out [m, dim]; dim a multiple of 4.
 *
 * @param weights [m, n], or [n, m] when `transposed`
 */
export function weightedSums(
  weights: Float32Array,
  transposed: boolean,
  rows: Float32Array,
  dim: number,
  out: Float32Array,
): void {
  const m = out.length / dim
  const n = rows.length / dim
  const step = transposed ? m : 1
  for (let i = 0; i < m; i += 2) {
    const next = Math.min(i + 1, m - 1)
    const first = transposed ? i : i * n
    const second = transposed ? next : next * n
    for (let k = 0; k < dim; k += 4) {
      let [a0, a1, a2, a3] = [0, 0, 0, 0]
      let [b0, b1, b2, b3] = [0, 0, 0, 0]
      for (let j = 0; j < n; j++) {
        const x = weights[first + j * step]!
        const y = weights[second + j * step]!
        const at = j * dim + k
        const p = rows[at]!
        const q = rows[at + 1]!
        const r = rows[at + 2]!
        const s = rows[at + 3]!
        a0 += x * p
        a1 += x * q
        a2 += x * r
        a3 += x * s
        b0 += y * p
        b1 += y * q
        b2 += y * r
        b3 += y * s
      }
      const [upper, lower] = [i * dim + k, next * dim + k]
      out[upper] = a0
      out[upper + 1] = a1
      out[upper + 2] = a2
      out[upper + 3] = a3
      out[lower] = b0
      out[lower + 1] = b1
      out[lower + 2] = b2
      out[lower + 3] = b3
    }
  }
}
