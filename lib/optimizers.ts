/**
 * The optimizers, each with its formula. g is a row's summed gradient, w the row, t the number of
 * the table's pushes with this one; the other letters are state, kept behind the row, which starts
 * at 0 unless said otherwise. native/include/hotrow/options.h gives the order of every operation.
 */
import type { OptimizerOptions } from './options.ts'

/** What every rule but `sum` does to the row's summed gradient before anything else. */
export interface GradientOptions {
  /**
   * weightDecay * w is added to the gradient, after clipping; `adamw`, `lamb`, `lars` and `lion`
   * decay the row apart from the gradient instead. By default 0; in `adamw` 0.01.
   */
  weightDecay?: number
  /** Each value is cut to [-clipValue, clipValue]. 0, the default: not. Not with `clipNorm`. */
  clipValue?: number
  /** A gradient longer than this is scaled down to it (L2). 0, the default: not. */
  clipNorm?: number
}

export interface RateOptions extends GradientOptions {
  /** By default 0.01 where the rule says nothing else. A push may bring its own. */
  learningRate?: number
}

export interface AdagradOptions extends RateOptions {
  /** Where the accumulator starts. By default 0.1. */
  initialAccumulator?: number
  /** By default 1e-10. */
  epsilon?: number
}

export interface MomentumOptions extends RateOptions {
  /** From 0 to below 1. By default 0.9. */
  momentum?: number
}

export interface AdamOptions extends RateOptions {
  /** From 0 to below 1. By default 0.9. */
  beta1?: number
  /** From 0 to below 1. By default 0.999. */
  beta2?: number
  /** By default 1e-8. */
  epsilon?: number
}

export interface FtrlOptions extends RateOptions {
  /** By default 1. */
  beta?: number
  /** By default 0. */
  l1?: number
  /** By default 0. */
  l2?: number
  /** Where n starts. By default 0.1. */
  initialAccumulator?: number
}

export interface RhoOptions extends RateOptions {
  /** Share of the old mean that stays, from 0 to below 1. By default 0.9. */
  rho?: number
  epsilon?: number
}

/** w -= learningRate * g */
export function sgd(options: RateOptions = {}): OptimizerOptions {
  return { kind: 'sgd', ...options }
}

/**
 * m = momentum * m + g; w -= learningRate * m, as torch.optim.SGD. State: dim values a row.
 */
export function momentum(options: MomentumOptions = {}): OptimizerOptions {
  return { kind: 'momentum', ...options }
}

/**
 * m = momentum * m + g; w -= learningRate * (g + momentum * m), as torch.optim.SGD with
 * `nesterov`. State: dim values a row.
 */
export function nesterov(options: MomentumOptions = {}): OptimizerOptions {
  return { kind: 'nesterov', ...options }
}

/**
 * a += g^2; w -= learningRate * g / (sqrt(a) + epsilon), each value for itself.
 * Duchi, Hazan, Singer 2011. State: dim values a row.
 */
export function adagrad(options: AdagradOptions = {}): OptimizerOptions {
  return { kind: 'adagrad', ...options }
}

/** Adagrad with one accumulator a row: a += mean(g^2). State: one value a row. */
export function rowwiseAdagrad(options: AdagradOptions = {}): OptimizerOptions {
  return { kind: 'rowwiseAdagrad', ...options }
}

/**
 * Adagrad that forgets: once in every `decaySteps` pushes of the table, with the row's next push,
 * a = max(decayRate * a, initialAccumulator) goes before. At most one decay a push of the row. The
 * rule of DeepRec's AdagradDecay. State: dim + 1 values a row.
 */
export function adagradDecay(
  options: AdagradOptions & {
    /** Above 0, at most 1. By default 0.9. */
    decayRate?: number
    /** Pushes of the table between two decays, 1 to 2^32 - 1. By default 100,000. */
    decaySteps?: number
  } = {},
): OptimizerOptions {
  return { kind: 'adagradDecay', ...options }
}

/**
 * v = rho * v + (1 - rho) * g^2; w -= learningRate * g / (sqrt(v) + epsilon): RMSprop, not
 * centered, as torch.optim.RMSprop with its alpha as rho (here 0.9 by default; epsilon 1e-8).
 * Tieleman, Hinton 2012. State: dim values a row.
 */
export function rmsprop(options: RhoOptions = {}): OptimizerOptions {
  return { kind: 'rmsprop', epsilon: 1e-8, ...options }
}

/**
 * v = rho * v + (1 - rho) * g^2; d = sqrt(u + epsilon) / sqrt(v + epsilon) * g;
 * u = rho * u + (1 - rho) * d^2; w -= learningRate * d. Zeiler 2012, as torch.optim.Adadelta:
 * learningRate is 1 and epsilon 1e-6 by default. State: 2 dim values a row.
 */
export function adadelta(options: RhoOptions = {}): OptimizerOptions {
  return { kind: 'adadelta', learningRate: 1, epsilon: 1e-6, ...options }
}

/**
 * Adam (Kingma, Ba 2015) as torch.optim.SparseAdam runs it: moments move for the rows that are
 * pushed, the bias is corrected by the number of the table's pushes.
 * m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g^2;
 * w -= learningRate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
 * By default learningRate is 0.001. State: 2 dim values a row.
 */
export function adam(options: AdamOptions = {}): OptimizerOptions {
  return { kind: 'adam', learningRate: 0.001, epsilon: 1e-8, ...options }
}

/**
 * Adam after w = (1 - learningRate * weightDecay) * w; weightDecay is 0.01 by default, as in
 * torch.optim.AdamW. Loshchilov, Hutter 2019. State: 2 dim values a row.
 */
export function adamw(options: AdamOptions = {}): OptimizerOptions {
  return { kind: 'adamw', learningRate: 0.001, epsilon: 1e-8, weightDecay: 0.01, ...options }
}

/**
 * Adam with h = max(h, v) in the place of v under the root. Reddi, Kale, Kumar 2018, as
 * torch.optim.Adam with `amsgrad`. State: 3 dim values a row.
 */
export function amsgrad(options: AdamOptions = {}): OptimizerOptions {
  return { kind: 'amsgrad', learningRate: 0.001, epsilon: 1e-8, ...options }
}

/**
 * m as in Adam; u = max(beta2 * u, |g|); w -= learningRate / (1 - beta1^t) * m / (u + epsilon).
 * Kingma, Ba 2015, section 7.1; by default learningRate is 0.002. State: 2 dim values a row.
 */
export function adamax(options: AdamOptions = {}): OptimizerOptions {
  return { kind: 'adamax', learningRate: 0.002, epsilon: 1e-8, ...options }
}

/**
 * Adam with one v for the row: v = beta2 * v + (1 - beta2) * mean(g^2), as FBGEMM's
 * PARTIAL_ROWWISE_ADAM. State: dim + 1 values a row.
 */
export function rowwiseAdam(options: AdamOptions = {}): OptimizerOptions {
  return { kind: 'rowwiseAdam', learningRate: 0.001, epsilon: 1e-8, ...options }
}

/**
 * FTRL-Proximal (McMahan et al. 2013): s = (sqrt(n + g^2) - sqrt(n)) / learningRate;
 * z += g - s * w; n += g^2;
 * w = |z| <= l1 ? 0 : (sign(z) * l1 - z) / ((beta + sqrt(n)) / learningRate + l2).
 * State: 2 dim values a row.
 */
export function ftrl(options: FtrlOptions = {}): OptimizerOptions {
  return { kind: 'ftrl', ...options }
}

/**
 * FTRL with a group lasso over the row, which takes whole rows to zero: with
 * s = |z| <= l1 ? 0 : sign(z) * l1 - z, the row is 0 where norm(s) <= sqrt(dim) * l21, else
 * w = (1 - sqrt(dim) * l21 / norm(s)) * s / ((beta + sqrt(n)) / learningRate + l2).
 * Yue et al. 2021. State: 2 dim values a row.
 */
export function groupFtrl(
  options: FtrlOptions & {
    /** By default 0, and the rule is `ftrl`. */
    l21?: number
  } = {},
): OptimizerOptions {
  return { kind: 'groupFtrl', ...options }
}

/**
 * m and v as in Adam;
 * r = m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + epsilon) + weightDecay * w;
 * w -= learningRate * norm(w) / norm(r) * r, the ratio 1 where a norm is 0. You et al. 2020, a row
 * as a layer; by default learningRate is 0.001 and epsilon 1e-6. State: 2 dim values a row.
 */
export function lamb(options: AdamOptions = {}): OptimizerOptions {
  return { kind: 'lamb', learningRate: 0.001, epsilon: 1e-6, ...options }
}

/**
 * q = trust * norm(w) / (norm(g) + weightDecay * norm(w)), 1 where a norm is 0;
 * m = momentum * m + learningRate * q * (g + weightDecay * w); w -= m.
 * You, Gitman, Ginsburg 2017, a row as a layer. State: dim values a row.
 */
export function lars(
  options: MomentumOptions & {
    /** The trust coefficient, the paper's eta. By default 0.001. */
    trust?: number
  } = {},
): OptimizerOptions {
  return { kind: 'lars', ...options }
}

/**
 * c = beta1 * m + (1 - beta1) * g;
 * w = (1 - learningRate * weightDecay) * w - learningRate * sign(c);
 * m = beta2 * m + (1 - beta2) * g. Chen et al. 2023; by default learningRate is 0.0001 and beta2
 * 0.99. State: dim values a row.
 */
export function lion(options: Omit<AdamOptions, 'epsilon'> = {}): OptimizerOptions {
  return { kind: 'lion', learningRate: 0.0001, beta2: 0.99, ...options }
}

/** w += g: plain addition. */
export function sum(): OptimizerOptions {
  return { kind: 'sum' }
}
