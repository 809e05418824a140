/** A dense parameter: f32 values of a fixed shape under a name. */
import type { NativeDense } from './addon.ts'
import { checkCallOptions, checkLearningRate, checkUpdateOptions, newFloats } from './checks.ts'
import { closedError, rejecting } from './errors.ts'
import type { DenseOptions, PushOptions, UpdateOptions } from './options.ts'
import type { Owner } from './table.ts'

/** A dense parameter of a store; made by `store.dense`. Buffers, order and errors as `Table`. */
export class Dense {
  readonly name: string
  /** Row-major. */
  readonly shape: readonly number[]
  /** The options it was opened with. */
  readonly options: Readonly<DenseOptions>
  readonly #native: NativeDense
  readonly #owner: Owner

  /** @internal */
  constructor(name: string, options: DenseOptions, native: NativeDense, owner: Owner) {
    this.name = name
    this.shape = Object.freeze([...options.shape])
    this.options = Object.freeze({ ...options, shape: this.shape })
    this.#native = native
    this.#owner = owner
  }

  #call<T>(work: (native: NativeDense) => Promise<T>): Promise<T> {
    if (!this.#owner.closed) return rejecting(() => work(this.#native))
    return Promise.reject(closedError(`the store of dense parameter '${this.name}'`))
  }

  /**
   * All values as of one instant.
   *
   * @param options - `out`: a Float32Array of the parameter's size to fill instead of a new one
   */
  pull(options?: { out?: Float32Array }): Promise<Float32Array> {
    checkCallOptions(options, ['out'])
    const out = options?.out
    return this.#call((native) => {
      const size = this.shape.reduce((product, n) => product * n, 1)
      return native.pull(out === undefined ? newFloats(size, 1) : out, out === undefined)
    })
  }

  /**
   * Runs the optimizer with a gradient of the parameter's size.
   *
   * @param options - `learningRate` for this push alone
   */
  push(gradient: Float32Array, options?: PushOptions): Promise<void> {
    checkCallOptions(options, ['learningRate'])
    const learningRate = checkLearningRate(options)
    return this.#owner.settled(this.#call((native) => native.push(gradient, learningRate)))
  }

  /** Assigns all values; the optimizer's state stays, unless `options` has it. */
  update(values: Float32Array, options?: UpdateOptions): Promise<void> {
    const { state, steps } = checkUpdateOptions(options)
    return this.#owner.settled(this.#call((native) => native.update(values, state, steps)))
  }

  /** Values of optimizer state, of all rows: 0 for `sgd` and `sum`. */
  get stateValues(): number {
    return this.#native.stateValues()
  }

  /** All values with the optimizer's state and the pushes they have seen, as of one instant. */
  pullState(): Promise<{ values: Float32Array; state: Float32Array; steps: number }> {
    return this.#call((native) => {
      const size = this.shape.reduce((product, n) => product * n, 1)
      const values = newFloats(size, 1)
      const state = newFloats(this.stateValues, 1)
      return native.pullState(values, state).then((steps) => ({ values, state, steps }))
    })
  }
}
