/** Limits of time, and the errors of a tier that does not answer. */
import { StoreError } from '../errors.ts'
import { unlessAborted } from '../pages.ts'

/** A tier failed or was slow: nothing is known to be lost, and a later call may succeed. */
export function tierError(message: string, cause?: unknown): StoreError {
  const fields = { scope: 'call', outcome: 'none', retryable: true } as const
  const error = new StoreError('ERR_IO_ERROR', message, fields)
  return cause === undefined ? error : Object.assign(error, { cause })
}

/** An error's own words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What ends a call before its work has ended. */
export interface Limit {
  /** Names the call in the error. */
  readonly what: string
  readonly timeoutMs: number
  readonly signals?: readonly (AbortSignal | undefined)[]
}

/**
 * Does `work` until it ends, the time is up (ERR_IO_ERROR) or the signal says so; then its own
 * signal is aborted and what it does is nobody's any more.
 *
 * @param work - may `note` a failure that it goes on after: the cause if time runs out
 */
export function limited<T>(
  limit: Limit,
  work: (signal: AbortSignal, note: (failure: unknown) => void) => Promise<T>,
): Promise<T> {
  const { what, timeoutMs, signals = [] } = limit
  const inner = new AbortController()
  let cause: unknown
  const expire = (): void => {
    const last = cause === undefined ? '' : `; last: ${messageOf(cause)}`
    inner.abort(tierError(`${what} took longer than ${timeoutMs} ms${last}`, cause))
  }
  const ends = signals.filter((signal) => signal !== undefined)
  const abort = (): void => inner.abort(ends.find(({ aborted }) => aborted)?.reason)
  for (const signal of ends) signal.addEventListener('abort', abort)
  if (ends.some(({ aborted }) => aborted)) abort()
  const timer = setTimeout(expire, timeoutMs)
  const start = async (): Promise<T> => {
    inner.signal.throwIfAborted()
    return work(inner.signal, (failure) => {
      cause = failure
    })
  }
  return unlessAborted(start(), inner.signal).finally(() => {
    clearTimeout(timer)
    for (const signal of ends) signal.removeEventListener('abort', abort)
  })
}

/** Resolves after so long, or rejects with the signal's reason before. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const waiting = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  return unlessAborted(waiting, signal).finally(() => clearTimeout(timer))
}
