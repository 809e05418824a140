/**
 * Options of a store, a table, a dense parameter and a push. Every field mirrors one of
 * native/include/hotrow/options.h, where the formulas stand; test/tidy compares the two.
 */

/** Options of `open`. */
export interface StoreOptions {
  /**
   * Ceiling for rows, index and dense parameters, in bytes, at least 16 MiB. By default half of
   * what the process may use. A push that would pass it rejects with ERR_CAPACITY and changes
   * nothing.
   */
  memoryBytes?: number
  /**
   * Threads that one large call may use. By default one per core but one, which is left to
   * JavaScript: with all of them at work on one batch, nobody prepares the next.
   */
  threads?: number
}

/**
 * The rule that turns gradients into changes of a row; made by `sgd()`, `adagrad()` and so on in
 * optimizers.ts, where each field is explained with the rules that read it.
 */
export interface OptimizerOptions {
  readonly kind:
    | 'sgd'
    | 'adagrad'
    | 'rowwiseAdagrad'
    | 'adam'
    | 'ftrl'
    | 'sum'
    | 'momentum'
    | 'nesterov'
    | 'adagradDecay'
    | 'rmsprop'
    | 'adadelta'
    | 'adamw'
    | 'amsgrad'
    | 'adamax'
    | 'rowwiseAdam'
    | 'groupFtrl'
    | 'lamb'
    | 'lars'
    | 'lion'
  readonly learningRate?: number
  readonly initialAccumulator?: number
  readonly epsilon?: number
  readonly beta1?: number
  readonly beta2?: number
  readonly beta?: number
  readonly l1?: number
  readonly l2?: number
  readonly l21?: number
  readonly momentum?: number
  readonly rho?: number
  readonly decayRate?: number
  readonly decaySteps?: number
  readonly trust?: number
  readonly weightDecay?: number
  readonly clipValue?: number
  readonly clipNorm?: number
}

/**
 * How the optimizer treats some keys of a table: those with a slot (the upper 20 bits, which
 * `slotKey` sets) from `firstSlot` to `lastSlot`. Keys in no group are treated as the optimizer
 * says.
 */
export interface OptimizerGroup {
  /** 0 to 2^20 - 1. */
  readonly firstSlot: number
  /** Included. */
  readonly lastSlot: number
  /** Times the learning rate, the table's or the push's. By default 1. */
  readonly rateScale?: number
  /** By default the optimizer's. */
  readonly weightDecay?: number
  /**
   * Pushes change no row of the group: a key without a row gets its initial row, and that stays.
   * `update` and `erase` work. By default false.
   */
  readonly frozen?: boolean
}

/** Options of one push. */
export interface PushOptions {
  /**
   * In the place of the optimizer's, for this push: finite and above 0. Rules without a learning
   * rate (`sum`) ignore it.
   */
  learningRate?: number
}

/** How a row begins; made by `zeros()`, `uniform()` and so on. */
export interface InitializerOptions {
  readonly kind: 'zeros' | 'constant' | 'uniform' | 'normal' | 'truncatedNormal'
  readonly value?: number
  readonly low?: number
  readonly high?: number
  readonly mean?: number
  readonly stddev?: number
}

/** Options of `store.table`. */
export interface TableOptions {
  /** Values per row, 1 to 8,192. */
  dim: number
  /**
   * How values are kept; calls give and take f32 whatever this is. `'f32'` (the default): as they
   * are. `'f16'` and `'bf16'`: in 2 bytes, with 11 significant bits up to 65,504, or 8 over the
   * range of f32. `'i8'` and `'i4'`, for serving: in 1 byte or half a byte, as one of 256 or 16
   * steps from the least to the greatest value of the row, and 8 bytes a row for these two. What
   * is out of a type's range becomes the end of the range.
   */
  valueType?: 'f32' | 'f16' | 'bf16' | 'i8' | 'i4'
  /**
   * How values become 16-bit ones: to the nearest (the default), or up or down by chance so that
   * the mean is right, for `'f16'` and `'bf16'`: then changes too small to see still add up.
   */
  rounding?: 'nearest' | 'stochastic'
  /** By default `sgd()`. */
  optimizer?: OptimizerOptions
  /** By default `zeros()`. */
  initializer?: InitializerOptions
  /** What a lookup answers for a key without a row: its initial row (the default), or zeros. */
  missing?: 'initial' | 'zeros'
  /**
   * NaN or infinity in a pushed or assigned row: reject the whole call (the default), or leave
   * that row out and count it in `skippedGradients`.
   */
  nonFinite?: 'reject' | 'skip'
  /** Seed of the initial rows, a u64 above 0. By default made from the table's name. */
  seed?: bigint | number
  /** At most 64, in any order, no slot in two of them. By default none. */
  groups?: readonly OptimizerGroup[]
}

/** Options of `store.dense`. */
export interface DenseOptions {
  /** One to eight dimensions, row-major; at most 2^31 values in all. */
  shape: readonly number[]
  /** By default `sgd()`. */
  optimizer?: OptimizerOptions
  /** By default `zeros()`. */
  initializer?: InitializerOptions
  /** As for tables, for the whole gradient. */
  nonFinite?: 'reject' | 'skip'
  /** Seed of the initial values, a u64 above 0. By default made from the parameter's name. */
  seed?: bigint | number
}
