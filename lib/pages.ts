/**
 * What a table gives page by page: its rows, and the keys that it has evicted.
 *
 * The generators hold one page and, of a scan, the promise of the next; whoever stops early leaves
 * nothing behind.
 */
import type { NativeScanPage } from './addon.ts'

/** Some rows of a table. */
export interface ScanPage {
  /** [m] */
  keys: BigUint64Array
  /** [m * dim] */
  rows: Float32Array
  /** [m * stateValues], where the scan asks for it. */
  state?: Float32Array
}

/** How a table is scanned. */
export interface ScanOptions {
  /** Rows a page, or a few more: 1 to 1,048,576. By default 1,000. */
  rows?: number
  /** Give the optimizer's state of each row too, of the same instant. By default false. */
  state?: boolean
  /** Ends the scan: the generator throws the signal's reason instead of the next page. */
  signal?: AbortSignal
}

/**
 * Why a row was evicted: a push needed room; it was unused for `ttlMs`; `evict` was called;
 * `shrink` was called.
 */
export type EvictionReason = 'capacity' | 'expired' | 'demand' | 'shrink'

/** Keys that were evicted, the oldest first. */
export interface EvictedPage {
  /** [m] */
  keys: BigUint64Array
  /** [m], one a key. */
  reasons: EvictionReason[]
}

/** In the order of the enum of store.h. */
export const evictionReasons: readonly EvictionReason[] = [
  'capacity',
  'expired',
  'demand',
  'shrink',
]

/** As `work`, but rejects with the signal's reason as soon as there is one. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    const settled = (): void => signal.removeEventListener('abort', abort)
    work.then(resolve, reject).finally(settled)
  })
}

/**
 * Rows page by page, the next one fetched while the caller works on one.
 *
 * @param fetch - the page that begins at a place
 */
export async function* scanPages(
  fetch: (from: bigint) => Promise<NativeScanPage>,
  signal: AbortSignal | undefined,
  withState: boolean,
): AsyncGenerator<ScanPage, void, undefined> {
  const fetchAhead = (from: bigint): Promise<NativeScanPage> => {
    const page = fetch(from)
    // A caller that stops early does not ask how the page it never wanted has ended.
    page.catch(() => {})
    return page
  }
  let ahead: Promise<NativeScanPage> | undefined = fetchAhead(0n)
  while (ahead !== undefined) {
    const { keys, rows, state, next }: NativeScanPage = await unlessAborted(ahead, signal)
    ahead = next === undefined ? undefined : fetchAhead(next)
    if (keys.length > 0) yield withState ? { keys, rows, state } : { keys, rows }
  }
}

/** Pages until one is empty. Nothing is taken ahead: what was taken is in no log any more. */
export async function* evictedPages(
  take: () => Promise<EvictedPage>,
): AsyncGenerator<EvictedPage, void, undefined> {
  for (let page = await take(); page.keys.length > 0; page = await take()) yield page
}
