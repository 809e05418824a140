/** Pipelines: rows of the next batches are on their way while a trainer works on this one. */
import { checkInteger, checkObject } from './checks.ts'
import { callError, typeError } from './errors.ts'
import type { PushOptions } from './options.ts'
import type { LookupRequest, PushRequest } from './requests.ts'

/** How a pipeline looks up and pushes. */
export interface PipelineOptions<B> {
  /**
   * How many batches are looked up ahead, 0 to 1,024, by default 1. The rows of a batch have seen
   * the pushes of all batches but, at most, the last `depth` before it. With 0 they have seen all
   * of them: the same as a loop that awaits every call.
   */
  depth?: number
  /** The tables and keys of a batch. */
  requests: (batch: B) => readonly LookupRequest[]
}

/** One batch of a pipeline. */
export interface PipelineStep<B> {
  readonly batch: B
  /** [n * dim] of each request, in the order of the requests. */
  readonly rows: Float32Array[]
  /**
   * Pushes gradients [n * dim] of each request, all or none, behind what goes on: what fails is
   * thrown by the loop that iterates. Once a step, before the next is asked for; not at all: the
   * batch is only looked up.
   */
  push(gradients: readonly Float32Array[], options?: PushOptions): void
}

/** What a pipeline needs of its store. */
export interface PipelineStore {
  lookupAll(requests: readonly LookupRequest[]): Promise<Float32Array[]>
  pushAll(requests: readonly PushRequest[]): Promise<void>
}

interface Begun<B> {
  batch: B
  requests: readonly LookupRequest[]
  rows: Promise<Float32Array[]>
}

const maxDepth = 1024

/** Batches whose lookups have begun, in order. */
class Ahead<B> {
  readonly #store: PipelineStore
  readonly #source: Iterator<B> | AsyncIterator<B>
  readonly #requests: (batch: B) => readonly LookupRequest[]
  /** The end, or a failure, of the source resolves those behind it too. */
  #last: Promise<Begun<B> | undefined> | undefined
  readonly #begun: Promise<Begun<B> | undefined>[] = []

  constructor(
    store: PipelineStore,
    batches: Iterable<B> | AsyncIterable<B>,
    requests: PipelineOptions<B>['requests'],
  ) {
    this.#store = store
    this.#source =
      Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]()
    this.#requests = requests
  }

  async #begin(before: Promise<Begun<B> | undefined> | undefined): Promise<Begun<B> | undefined> {
    if (before !== undefined && (await before) === undefined) return undefined
    const { done, value } = await this.#source.next()
    if (done) return undefined
    const requests = this.#requests(value)
    const rows = this.#store.lookupAll(requests)
    rows.catch(() => {}) // thrown by whoever comes to this batch
    return { batch: value, requests, rows }
  }

  /** Begins lookups until so many are ahead. */
  fill(count: number): void {
    while (this.#begun.length < count) {
      const next = this.#begin(this.#last)
      next.catch(() => {})
      this.#last = next
      this.#begun.push(next)
    }
  }

  /** The next batch, or undefined at the end. */
  take(): Promise<Begun<B> | undefined> {
    return this.#begun.shift() ?? Promise.resolve(undefined)
  }

  /** Waits for the lookups that nobody will come to. */
  async close(): Promise<void> {
    for (const each of await Promise.allSettled(this.#begun)) {
      if (each.status === 'fulfilled') await each.value?.rows.catch(() => {})
    }
    await this.#source.return?.()
  }
}

/** Pushes under way, and the first that failed. */
class Behind {
  #failure: { reason: unknown } | undefined
  readonly #pushes: Promise<void>[] = []

  add(push: Promise<void>): void {
    const settled = push.catch((reason: unknown) => {
      this.#failure ??= { reason }
    })
    this.#pushes.push(settled)
  }

  /** Waits until at most so many are under way; throws what failed. */
  async drain(most: number): Promise<void> {
    while (this.#pushes.length > most) await this.#pushes.shift()
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  async settle(): Promise<void> {
    await Promise.all(this.#pushes)
  }
}

function pushesOf(
  requests: readonly LookupRequest[],
  gradients: readonly Float32Array[],
  options: PushOptions | undefined,
): PushRequest[] {
  if (!Array.isArray(gradients)) throw typeError('gradients', 'an array', gradients)
  if (gradients.length !== requests.length) {
    throw typeError('gradients', `${requests.length} arrays, one a request`, gradients)
  }
  return requests.map(([table, keys], i): PushRequest => {
    const its = gradients[i] as Float32Array
    return options === undefined ? [table, keys, its] : [table, keys, its, options]
  })
}

/** See `Store.pipeline`. */
export async function* pipelineOf<B>(
  store: PipelineStore,
  batches: Iterable<B> | AsyncIterable<B>,
  depth: number,
  requests: PipelineOptions<B>['requests'],
): AsyncGenerator<PipelineStep<B>, void, undefined> {
  const ahead = new Ahead(store, batches, requests)
  const behind = new Behind()
  try {
    while (true) {
      ahead.fill(depth + 1)
      const begun = await ahead.take()
      if (begun === undefined) break
      let open = true
      const rows = await begun.rows
      yield {
        batch: begun.batch,
        rows,
        push: (gradients, options) => {
          if (!open) throw callError('ERR_CONFLICT', 'a step of a pipeline was pushed already')
          const pushes = pushesOf(begun.requests, gradients, options)
          open = false
          behind.add(store.pushAll(pushes))
        },
      }
      open = false
      await behind.drain(depth)
    }
    await behind.drain(0)
  } finally {
    await Promise.all([behind.settle(), ahead.close()])
  }
}

/** The options of `Store.pipeline`, checked at once. */
export function checkPipeline<B>(
  batches: Iterable<B> | AsyncIterable<B>,
  options: PipelineOptions<B>,
): [number, PipelineOptions<B>['requests']] {
  checkObject('options', options, ['depth', 'requests'])
  const { depth = 1, requests } = options
  const given: unknown = batches
  const iterable =
    typeof given === 'object' &&
    given !== null &&
    (Symbol.iterator in given || Symbol.asyncIterator in given)
  if (!iterable) throw typeError('batches', 'an iterable or async iterable of batches', batches)
  if (typeof requests !== 'function') throw typeError('requests', 'a function', requests)
  return [checkInteger('depth', depth, 0, maxDepth), requests]
}
