/** A sparse table: rows of f32 values under 64-bit keys. */
import type { NativeTable, TableStats } from './addon.ts'
import { checkCallOptions, checkChoice, checkLearningRate, countOf, newFloats } from './checks.ts'
import { closedError, rejecting, type StoreError, typeError } from './errors.ts'
import type { PushOptions, TableOptions } from './options.ts'

/** How the rows of a bag become one. */
export interface PoolingOptions {
  /**
   * `sum` (default); `mean`: divided by the sum of the weights; `sqrtn`: divided by the root of
   * the sum of their squares. Without weights each counts 1. An empty bag pools to zeros.
   */
  mode?: 'sum' | 'mean' | 'sqrtn'
  /** [n] one weight a key. */
  weights?: Float32Array
}

/** Whether the store a handle belongs to has been closed. */
export interface Owner {
  readonly closed: boolean
}

const modes = ['sum', 'mean', 'sqrtn']

function modeOf(options: PoolingOptions | undefined, known: readonly string[]): number {
  checkCallOptions(options, known)
  const mode = options?.mode
  return mode === undefined ? 0 : checkChoice('mode', mode, modes)
}

const natives = new WeakMap<Table, NativeTable>()

/** The native side of a table, for the calls over several tables in store.ts. */
export function nativeOf(argument: string, table: Table): NativeTable {
  const native = natives.get(table)
  if (native === undefined) throw typeError(argument, 'a Table', table)
  return native
}

/**
 * A table of a store; made by `store.table`.
 *
 * Arrays passed in are copied before a call returns and may be refilled at once. Calls on one
 * store take effect in the order they were made, whether awaited or not; only `lookupSync` runs
 * at once. Wrong arguments throw a TypeError or RangeError that names the argument; calls that
 * fail at work reject with a StoreError.
 */
export class Table {
  readonly name: string
  /** Values per row. */
  readonly dim: number
  /** The options it was opened with. */
  readonly options: Readonly<TableOptions>
  readonly #native: NativeTable
  readonly #owner: Owner

  /** @internal */
  constructor(name: string, options: TableOptions, native: NativeTable, owner: Owner) {
    this.name = name
    this.dim = options.dim
    this.options = Object.freeze({ ...options })
    this.#native = native
    this.#owner = owner
    natives.set(this, native)
  }

  #closed(): StoreError {
    return closedError(`the store of table '${this.name}'`)
  }

  #call<T>(work: (native: NativeTable) => Promise<T>): Promise<T> {
    return this.#owner.closed ? Promise.reject(this.#closed()) : rejecting(() => work(this.#native))
  }

  /**
   * Copies the row of each key. A key without a row gives its initial row and writes nothing.
   *
   * @param keys - [n], duplicates welcome
   * @param options - `out`: a Float32Array [n * dim] to fill instead of a new one
   * @returns [n * dim], one row a key in the order of the keys
   */
  lookup(keys: BigUint64Array, options?: { out?: Float32Array }): Promise<Float32Array> {
    checkCallOptions(options, ['out'])
    return this.#call((native) => {
      const out = options?.out
      const count = countOf('keys', keys, 'BigUint64Array')
      return native.lookup(
        keys,
        out === undefined ? newFloats(count, this.dim) : out,
        out === undefined,
      )
    })
  }

  /**
   * As `lookup`, on the calling thread, about twice as fast for a few hundred keys. It does not
   * wait for calls still under way: await a push that it must see.
   *
   * @param out - [n * dim], filled and returned; a new array when left out
   */
  lookupSync(keys: BigUint64Array, out?: Float32Array): Float32Array {
    if (this.#owner.closed) throw this.#closed()
    if (out !== undefined) return this.#native.lookupSync(keys, out)
    const count = countOf('keys', keys, 'BigUint64Array')
    return this.#native.lookupSync(keys, newFloats(count, this.dim))
  }

  /**
   * Pools rows by bags: bag b takes keys[offsets[b]] up to, not including, keys[offsets[b + 1]].
   * Values are added in the order of the keys.
   *
   * @param keys - [n]
   * @param offsets - [bags + 1], rising from 0 to n
   * @returns [bags * dim]
   */
  lookupPooled(
    keys: BigUint64Array,
    offsets: Uint32Array,
    options?: PoolingOptions & { out?: Float32Array },
  ): Promise<Float32Array> {
    const mode = modeOf(options, ['mode', 'weights', 'out'])
    return this.#call((native) => {
      const out = options?.out
      const bags = Math.max(countOf('offsets', offsets, 'Uint32Array') - 1, 0)
      const target = out === undefined ? newFloats(bags, this.dim) : out
      const weights = options?.weights
      return native.lookupPooled(keys, offsets, target, mode, weights, out === undefined)
    })
  }

  /**
   * Sums the gradients of equal keys in batch order, then runs the table's optimizer once a key;
   * a key without a row gets its initial row first. All of it or nothing: ERR_CAPACITY at the
   * memory ceiling, ERR_INVALID_ARGUMENT for NaN or infinity (unless `nonFinite: 'skip'`).
   * Resolves when every later lookup in the process sees it.
   *
   * @param keys - [n]
   * @param gradients - [n * dim]
   * @param options - `learningRate` for this push alone
   */
  push(keys: BigUint64Array, gradients: Float32Array, options?: PushOptions): Promise<void> {
    checkCallOptions(options, ['learningRate'])
    const learningRate = checkLearningRate(options)
    return this.#call((native) => native.push(keys, gradients, learningRate))
  }

  /**
   * The gradient of `lookupPooled`: the gradient of each bag is pushed to the bag's keys, times
   * the key's weight over the bag's divisor. Otherwise as `push`.
   *
   * @param gradients - [bags * dim]
   */
  pushPooled(
    keys: BigUint64Array,
    offsets: Uint32Array,
    gradients: Float32Array,
    options?: PoolingOptions & PushOptions,
  ): Promise<void> {
    const mode = modeOf(options, ['mode', 'weights', 'learningRate'])
    const learningRate = checkLearningRate(options)
    return this.#call((native) =>
      native.pushPooled(keys, offsets, gradients, mode, options?.weights, learningRate),
    )
  }

  /**
   * Assigns rows; of equal keys the last wins. The optimizer's state of a row stays. All or
   * nothing, as `push`.
   *
   * @param keys - [n]
   * @param rows - [n * dim]
   */
  update(keys: BigUint64Array, rows: Float32Array): Promise<void> {
    return this.#call((native) => native.update(keys, rows))
  }

  /**
   * Removes rows with their optimizer state.
   *
   * @param keys - [n]
   * @returns how many of the keys had a row
   */
  erase(keys: BigUint64Array): Promise<number> {
    return this.#call((native) => native.erase(keys))
  }

  /** Size, memory and counts. */
  stats(): Promise<TableStats> {
    return this.#call((native) => native.stats())
  }
}
