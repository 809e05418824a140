// The optimizers in f64 JavaScript, written from the formulas of their papers and not from the
// core: what a table must agree with, within the rounding of f32.

import type { OptimizerOptions } from 'hotrow'

/** Changes the row `w` by the gradient `g`; `t` counts the table's pushes from 1. */
export type Rule = (w: Float64Array, g: Float64Array, t: number) => void

const at = (values: Float64Array, i: number): number => values[i] as number

/** A rule with the state of one row. */
export function referenceRule(options: OptimizerOptions, dim: number): Rule {
  const { learningRate: rate = 0.01, initialAccumulator = 0.1, epsilon = 1e-10 } = options
  const { beta1 = 0.9, beta2 = 0.999, beta = 1, l1 = 0, l2 = 0 } = options
  const accumulator = new Float64Array(dim).fill(initialAccumulator)
  const m = new Float64Array(dim)
  const v = new Float64Array(dim)
  const z = new Float64Array(dim)

  const rules: Record<OptimizerOptions['kind'], Rule> = {
    sgd(w, g) {
      for (let i = 0; i < dim; i++) w[i] = at(w, i) - rate * at(g, i)
    },
    adagrad(w, g) {
      for (let i = 0; i < dim; i++) {
        accumulator[i] = at(accumulator, i) + at(g, i) ** 2
        w[i] = at(w, i) - (rate * at(g, i)) / (Math.sqrt(at(accumulator, i)) + epsilon)
      }
    },
    rowwiseAdagrad(w, g) {
      accumulator[0] = at(accumulator, 0) + g.reduce((sum, x) => sum + x * x, 0) / dim
      const scale = rate / (Math.sqrt(at(accumulator, 0)) + epsilon)
      for (let i = 0; i < dim; i++) w[i] = at(w, i) - scale * at(g, i)
    },
    adam(w, g, t) {
      for (let i = 0; i < dim; i++) {
        m[i] = beta1 * at(m, i) + (1 - beta1) * at(g, i)
        v[i] = beta2 * at(v, i) + (1 - beta2) * at(g, i) ** 2
        const first = at(m, i) / (1 - beta1 ** t)
        const second = at(v, i) / (1 - beta2 ** t)
        w[i] = at(w, i) - (rate * first) / (Math.sqrt(second) + epsilon)
      }
    },
    ftrl(w, g) {
      for (let i = 0; i < dim; i++) {
        const n = at(accumulator, i)
        const next = n + at(g, i) ** 2
        const sigma = (Math.sqrt(next) - Math.sqrt(n)) / rate
        z[i] = at(z, i) + at(g, i) - sigma * at(w, i)
        accumulator[i] = next
        const sign = Math.sign(at(z, i))
        const divisor = (beta + Math.sqrt(next)) / rate + l2
        w[i] = Math.abs(at(z, i)) <= l1 ? 0 : (sign * l1 - at(z, i)) / divisor
      }
    },
    sum(w, g) {
      for (let i = 0; i < dim; i++) w[i] = at(w, i) + at(g, i)
    },
  }
  return rules[options.kind]
}
