/** Workers of a training job, and the clock that they share. */
import type { NativeStore } from './addon.ts'
import { checkChoice, checkInteger, checkObject } from './checks.ts'
import { rangeError, rejecting, StoreError, typeError } from './errors.ts'
import type { WorkerFigures } from './figures.ts'
import type { NativeWorker, NativeWorkerOptions } from './native-worker.ts'

/** Options of `store.worker`. All workers of a group give the same, but for `index`. */
export interface WorkerOptions {
  /** Whose clock it is: the same name, of 1 to 255 bytes, for all workers of a job. */
  group: string
  /** Of this worker, from 0 to below `of`; each is one worker's. */
  index: number
  /** How many workers the job has, 1 to 1,024. */
  of: number
  /**
   * - `'async'`: nobody waits; clocks are only counted.
   * - `'bounded'`: a worker that is more than `staleness` steps ahead of the slowest waits for it.
   * - `'bulk'`: what the workers push in a step is kept at the servers until every live worker has
   *   ended it, then summed in the order of their indices and applied as one push. The result has
   *   the same bits whoever was first.
   */
  mode: 'async' | 'bounded' | 'bulk'
  /** Of `'bounded'`, which needs it: 0 to 1,000,000 steps. */
  staleness?: number
  /**
   * A worker that is not heard of for so long is dropped from the clock, and nobody waits for it
   * any more; 50 to 3,600,000, by default 10,000. A thread of its process sees to it that it is
   * heard of, whatever JavaScript is doing.
   */
  leaseMs?: number
}

/** Options of `tick`. */
export interface TickOptions {
  /** How long to wait for others at most, in all; by default 3,600,000. */
  timeoutMs?: number
}

/** Where the workers of a group are. A worker's clock is the number of steps that it has ended. */
export interface GroupClock {
  readonly mine: number
  /** The least clock of those that are waited for. */
  readonly slowest: number
  /** All `of`, those too that have not come yet, by index. */
  readonly workers: readonly WorkerFigures[]
}

const modes = ['async', 'bounded', 'bulk'] as const
/** Of one wait in the core: it can be left only then. */
const sliceMs = 250

/** @internal The options of `Store.worker`, complete. */
export function checkWorker(options: WorkerOptions): NativeWorkerOptions {
  const fields = ['group', 'index', 'of', 'mode', 'staleness', 'leaseMs']
  checkObject('options', options, fields)
  const { group, index, of, leaseMs = 10_000 } = options
  if (typeof group !== 'string') throw typeError('group', 'a string', group)
  const bytes = Buffer.byteLength(group)
  if (bytes < 1 || bytes > 255) throw rangeError('group', '1 to 255 bytes', `${bytes} bytes`)
  const mode = checkChoice('mode', options.mode, modes)
  const bounded = options.mode === 'bounded'
  if (bounded && options.staleness === undefined) {
    throw typeError('staleness', "a number, for mode 'bounded'", undefined)
  }
  const many = checkInteger('of', of, 1, 1024)
  return {
    group,
    of: many,
    index: checkInteger('index', index, 0, many - 1),
    mode,
    staleness: checkInteger('staleness', options.staleness ?? 0, 0, bounded ? 1_000_000 : 0),
    leaseMs: checkInteger('leaseMs', leaseMs, 50, 3_600_000),
  }
}

/** @internal */
export async function joinGroup(
  native: NativeStore,
  options: NativeWorkerOptions,
  mode: WorkerOptions['mode'],
): Promise<SyncWorker> {
  return new SyncWorker(native, await native.worker(options), { ...options, mode })
}

/**
 * One of the workers of a training job whose rows are with servers; made by `store.worker` on a
 * store of `connect`, which is one worker at a time.
 *
 * ```ts
 * const worker = await store.worker({ group: 'job', index, of: 4, mode: 'bulk' })
 * for (const batch of batches) {
 *   const rows = await table.lookup(batch.keys)
 *   await table.push(batch.keys, gradientsOf(batch, rows))
 *   await worker.tick()
 * }
 * await worker.leave()
 * ```
 *
 * While a group has not been complete once, workers that have not come yet are waited for. One that
 * dies is dropped when its lease runs out, one that comes back joins at the slowest's clock.
 *
 * With mode `'bulk'` `push`, `pushPooled`, `pushAll` and `push` of dense parameters belong to the
 * worker's step; `update`, `erase` and `setScores` take effect at once. All pushes of a step to one
 * table have one `learningRate` (ERR_CONFLICT). What a worker pushed in a step that it has not
 * ended when it is dropped or leaves is dropped whole.
 */
export class SyncWorker {
  readonly group: string
  readonly index: number
  readonly of: number
  readonly mode: WorkerOptions['mode']
  readonly #store: NativeStore
  readonly #native: NativeWorker

  /** @internal */
  constructor(
    store: NativeStore,
    native: NativeWorker,
    options: Pick<WorkerOptions, 'group' | 'index' | 'of' | 'mode'>,
  ) {
    this.group = options.group
    this.index = options.index
    this.of = options.of
    this.mode = options.mode
    this.#store = store
    this.#native = native
  }

  /**
   * Ends this worker's step, after the calls made before, and resolves when the next may begin: at
   * once with `'async'`; with `'bounded'` when it is no more than `staleness` steps ahead of the
   * slowest; with `'bulk'` when the step has been applied at every server. Await it before pushing
   * on.
   *
   * Rejects with
   * - ERR_BUSY when the time is up, naming whom it waits for: the step is ended, calling again goes
   *   on waiting;
   * - ERR_CLOSED when the worker is in the clock no more (its lease ran out, or it has left), and
   *   ERR_NOT_FOUND when a server was started anew: `leave`, then join again. With `'bulk'` what
   *   it pushed in this step is applied nowhere or, where it had ended it in time, everywhere;
   * - ERR_CONFLICT, with `'bulk'`, when a push of this step may have reached some servers only:
   *   `leave`, then join again;
   * - with `'bulk'`, for all workers alike, what kept a server from applying the step
   *   (ERR_CAPACITY; ERR_INVALID_ARGUMENT: a sum is not finite, or a parameter was dropped):
   *   nothing of it was applied there, and the next step may begin. Only where a dense parameter is
   *   dropped at that moment the step's tables may have been pushed.
   */
  async tick(options: TickOptions = {}): Promise<void> {
    checkObject('options', options, ['timeoutMs'])
    const { timeoutMs = 3_600_000 } = options
    const until = performance.now() + checkInteger('timeoutMs', timeoutMs, 0, 86_400_000)
    await this.#store.settled()
    while (true) {
      const left = Math.max(until - performance.now(), 0)
      try {
        return await this.#native.tick(Math.ceil(Math.min(left, sliceMs)))
      } catch (error) {
        const waits = error instanceof StoreError && error.code === 'ERR_BUSY' && left > sliceMs
        if (!waits) throw error
      }
    }
  }

  /** Where everyone is. Waits for nobody. */
  clock(): Promise<GroupClock> {
    return rejecting(() => this.#native.clock())
  }

  /**
   * Ends the worker, after the calls made before: nobody waits for it any more, and the store's
   * pushes are its own again. `close` of the store does it too. Leaving again is fine. A tick that
   * waits rejects with ERR_CLOSED; await this before the store becomes a worker anew.
   */
  async leave(): Promise<void> {
    await this.#store.settled()
    await this.#native.leave()
  }

  /** `await using worker = await store.worker(…)` leaves at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave()
  }
}
