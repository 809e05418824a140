// The optimizers in f64 JavaScript, written from the formulas of their papers and not from the
// core: what a table must agree with, within the rounding of f32.

import type { OptimizerOptions } from 'hotrow'

/** Changes the row `w` by the gradient `g`; `t` counts the table's pushes from 1. */
export type Rule = (w: Float64Array, g: Float64Array, t: number) => void

/** The options with every number there, and the state of one row. */
interface Row {
  o: Required<OptimizerOptions>
  dim: number
  a: Float64Array
  m: Float64Array
  v: Float64Array
  h: Float64Array
  z: Float64Array
  decays: number
}

type RowRule = (row: Row, w: Float64Array, g: Float64Array, t: number) => void

const at = (values: Float64Array, i: number): number => values[i] as number
const norm = (x: Float64Array): number =>
  Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))
const meanSquare = (x: Float64Array): number => norm(x) ** 2 / x.length
/** Sets each value to what `next` makes of its index. */
function fill(values: Float64Array, next: (i: number) => number): void {
  for (let i = 0; i < values.length; i++) values[i] = next(i)
}

/** m = beta1 m + (1 - beta1) g */
function moveMean({ o, m }: Row, g: Float64Array): void {
  fill(m, (i) => o.beta1 * at(m, i) + (1 - o.beta1) * at(g, i))
}

/** v = beta2 v + (1 - beta2) of the squares that `square` gives */
function moveSquares({ o, v }: Row, square: (i: number) => number): void {
  fill(v, (i) => o.beta2 * at(v, i) + (1 - o.beta2) * square(i))
}

/** m / (sqrt(v) + epsilon), both without their bias. */
function adamDirection({ o, m }: Row, v: Float64Array, i: number, t: number): number {
  const mean = at(m, i) / (1 - o.beta1 ** t)
  return mean / (Math.sqrt(at(v, i) / (1 - o.beta2 ** t)) + o.epsilon)
}

const adam: RowRule = (row, w, g, t) => {
  const { o, v } = row
  moveMean(row, g)
  const mean = meanSquare(g)
  moveSquares(row, (i) => (o.kind === 'rowwiseAdam' ? mean : at(g, i) ** 2))
  const decay = o.kind === 'adamw' ? o.weightDecay : 0
  fill(w, (i) => at(w, i) - o.learningRate * (adamDirection(row, v, i, t) + decay * at(w, i)))
}

const amsgrad: RowRule = (row, w, g, t) => {
  const { o, v, h } = row
  moveMean(row, g)
  moveSquares(row, (i) => at(g, i) ** 2)
  fill(h, (i) => Math.max(at(h, i), at(v, i)))
  fill(w, (i) => at(w, i) - o.learningRate * adamDirection(row, h, i, t))
}

const adamax: RowRule = (row, w, g, t) => {
  const { o, m, h } = row
  moveMean(row, g)
  fill(h, (i) => Math.max(o.beta2 * at(h, i), Math.abs(at(g, i))))
  const rate = o.learningRate / (1 - o.beta1 ** t)
  fill(w, (i) => at(w, i) - (rate * at(m, i)) / (at(h, i) + o.epsilon))
}

const lamb: RowRule = (row, w, g, t) => {
  const { o, v } = row
  moveMean(row, g)
  moveSquares(row, (i) => at(g, i) ** 2)
  const r = w.map((x, i) => adamDirection(row, v, i, t) + o.weightDecay * x)
  const ratio = norm(w) > 0 && norm(r) > 0 ? norm(w) / norm(r) : 1
  fill(w, (i) => at(w, i) - o.learningRate * ratio * at(r, i))
}

const lars: RowRule = ({ o, m }, w, g) => {
  const divisor = norm(g) + o.weightDecay * norm(w)
  const ratio = norm(w) > 0 && norm(g) > 0 ? (o.trust * norm(w)) / divisor : 1
  const pull = (i: number): number => at(g, i) + o.weightDecay * at(w, i)
  fill(m, (i) => o.momentum * at(m, i) + o.learningRate * ratio * pull(i))
  fill(w, (i) => at(w, i) - at(m, i))
}

const lion: RowRule = ({ o, m }, w, g) => {
  const sign = (i: number): number => Math.sign(o.beta1 * at(m, i) + (1 - o.beta1) * at(g, i))
  fill(w, (i) => at(w, i) - o.learningRate * (sign(i) + o.weightDecay * at(w, i)))
  fill(m, (i) => o.beta2 * at(m, i) + (1 - o.beta2) * at(g, i))
}

const momentum: RowRule = ({ o, m }, w, g) => {
  fill(m, (i) => o.momentum * at(m, i) + at(g, i))
  const ahead = (i: number): number => at(g, i) + o.momentum * at(m, i)
  fill(w, (i) => at(w, i) - o.learningRate * (o.kind === 'nesterov' ? ahead(i) : at(m, i)))
}

const adagrad: RowRule = ({ o, a }, w, g) => {
  const mean = meanSquare(g)
  fill(a, (i) => at(a, i) + (o.kind === 'rowwiseAdagrad' ? mean : at(g, i) ** 2))
  fill(w, (i) => at(w, i) - (o.learningRate * at(g, i)) / (Math.sqrt(at(a, i)) + o.epsilon))
}

const adagradDecay: RowRule = (row, w, g, t) => {
  const { o, a } = row
  if (row.decays < Math.floor(t / o.decaySteps)) {
    row.decays += 1
    fill(a, (i) => Math.max(o.decayRate * at(a, i), o.initialAccumulator))
  }
  adagrad(row, w, g, t)
}

const rmsprop: RowRule = ({ o, v }, w, g) => {
  fill(v, (i) => o.rho * at(v, i) + (1 - o.rho) * at(g, i) ** 2)
  fill(w, (i) => at(w, i) - (o.learningRate * at(g, i)) / (Math.sqrt(at(v, i)) + o.epsilon))
}

const adadelta: RowRule = ({ o, v, h }, w, g) => {
  fill(v, (i) => o.rho * at(v, i) + (1 - o.rho) * at(g, i) ** 2)
  const change = g.map((x, i) => Math.sqrt((at(h, i) + o.epsilon) / (at(v, i) + o.epsilon)) * x)
  fill(h, (i) => o.rho * at(h, i) + (1 - o.rho) * at(change, i) ** 2)
  fill(w, (i) => at(w, i) - o.learningRate * at(change, i))
}

const ftrl: RowRule = ({ o, a, z, dim }, w, g) => {
  const before = a.slice()
  fill(a, (i) => at(a, i) + at(g, i) ** 2)
  const sigma = (i: number): number =>
    (Math.sqrt(at(a, i)) - Math.sqrt(at(before, i))) / o.learningRate
  fill(z, (i) => at(z, i) + at(g, i) - sigma(i) * at(w, i))
  const s = z.map((x) => (Math.abs(x) <= o.l1 ? 0 : Math.sign(x) * o.l1 - x))
  const least = o.kind === 'groupFtrl' ? Math.sqrt(dim) * o.l21 : 0
  const share = norm(s) <= least ? 0 : 1 - least / norm(s)
  const divisor = (i: number): number => (o.beta + Math.sqrt(at(a, i))) / o.learningRate + o.l2
  fill(w, (i) => (share * at(s, i)) / divisor(i))
}

const rules: Record<OptimizerOptions['kind'], RowRule> = {
  sgd: ({ o }, w, g) => fill(w, (i) => at(w, i) - o.learningRate * at(g, i)),
  sum: (_, w, g) => fill(w, (i) => at(w, i) + at(g, i)),
  momentum,
  nesterov: momentum,
  adagrad,
  rowwiseAdagrad: adagrad,
  adagradDecay,
  rmsprop,
  adadelta,
  adam,
  adamw: adam,
  amsgrad,
  adamax,
  rowwiseAdam: adam,
  ftrl,
  groupFtrl: ftrl,
  lamb,
  lars,
  lion,
}

/** The gradient that a rule sees: clipped, then with the row's decay. */
function prepared({ o }: Row, w: Float64Array, g: Float64Array): Float64Array {
  const { clipValue, clipNorm, weightDecay } = o
  const shrink = clipNorm > 0 && norm(g) > clipNorm ? clipNorm / norm(g) : 1
  const apart = ['adamw', 'lamb', 'lars', 'lion'].includes(o.kind)
  return g.map((x, i) => {
    const clipped = clipValue > 0 ? Math.min(Math.max(x, -clipValue), clipValue) : x * shrink
    return clipped + (apart ? 0 : weightDecay * at(w, i))
  })
}

const kDefaults: Omit<Required<OptimizerOptions>, 'kind'> = {
  learningRate: 0.01,
  initialAccumulator: 0.1,
  epsilon: 1e-10,
  beta1: 0.9,
  beta2: 0.999,
  beta: 1,
  l1: 0,
  l2: 0,
  l21: 0,
  momentum: 0.9,
  rho: 0.9,
  decayRate: 0.9,
  decaySteps: 100_000,
  trust: 0.001,
  weightDecay: 0,
  clipValue: 0,
  clipNorm: 0,
}

/** A rule with the state of one row. */
export function referenceRule(options: OptimizerOptions, dim: number): Rule {
  const o = { ...kDefaults, ...options }
  const zeros = (): Float64Array => new Float64Array(dim)
  const row: Row = { o, dim, a: zeros(), m: zeros(), v: zeros(), h: zeros(), z: zeros(), decays: 0 }
  row.a.fill(o.initialAccumulator)
  return (w, g, t) => rules[o.kind](row, w, prepared(row, w, g), t)
}
