// One of several trainers, in a process of its own: a part of every batch is its own, and the
// weights are with servers that all trainers share.

import { connect, type Store, type SyncWorker } from 'hotrow'
import { trainAhead } from './ahead.ts'
import { findFlights, readFlights } from './data.ts'
import type { ModelName } from './outcome.ts'
import { STALENESS, type SyncMode } from './settings.ts'
import { StoreFm } from './store-fm.ts'
import { StoreLogistic } from './store-logistic.ts'
import { type Share, train } from './train.ts'

/** What a worker is told first. */
export interface Task {
  readonly servers: readonly string[]
  readonly model: ModelName
  readonly data: string | undefined
  readonly rows: number
  readonly share: Share
  /** Of the pipeline; none: as one process does it, which awaits each call. */
  readonly depth: number | undefined
  /** For whom the workers wait; none: they do not even count their steps. */
  readonly sync: SyncMode | undefined
}

/** What it says: that it has read the data, how far it is, and in the end what it gave its rows. */
export type Message =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly rows: number }
  | { readonly kind: 'done'; readonly probabilities: Float32Array; readonly seconds: number }

function join(store: Store, { index, of }: Share, mode: SyncMode): Promise<SyncWorker> {
  const bounded = mode === 'bounded' ? { staleness: STALENESS } : {}
  return store.worker({ group: 'flights', index, of, mode, ...bounded })
}

const say = (message: Message): void => void process.send?.(message)

process.once('disconnect', () => process.exit(1))
process.once('message', async ({ servers, model, data, rows, share, depth, sync }: Task) => {
  const path = data ?? findFlights()
  if (path === undefined) throw new Error('flights: vega-datasets is not installed')
  const flights = await readFlights(path, rows, () => {})
  const store = await connect(servers)
  const create = model === 'lr' ? StoreLogistic.create : StoreFm.create
  const its = await create(store, flights)
  process.once('message', async () => {
    const member = sync === undefined ? undefined : await join(store, share, sync)
    const endStep = member && (() => member.tick())
    const onProgress = ({ rows }: { rows: number }): void => say({ kind: 'progress', rows })
    const run =
      depth === undefined
        ? await train(its, flights, onProgress, share, endStep)
        : await trainAhead(its, store, flights, depth, onProgress, share, endStep)
    // Who has no batch any more is waited for by nobody.
    await member?.leave()
    await store.close()
    process.removeAllListeners('disconnect')
    process.send?.({ kind: 'done', ...run } satisfies Message, () => process.disconnect())
  })
  say({ kind: 'ready' })
})
