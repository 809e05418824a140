/**
 * Errors. Wrong arguments throw a TypeError or RangeError at once; everything that fails at work
 * is a StoreError. Both carry a stable `code`: the code is the contract, the message is not.
 */

/** The codes of native/include/hotrow/status_codes.def. */
export type StoreErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_CAPACITY'
  | 'ERR_CONFLICT'
  | 'ERR_NOT_FOUND'
  | 'ERR_UNSUPPORTED'
  | 'ERR_INTERNAL'
  | 'ERR_CLOSED'
  | 'ERR_LOCKED'
  | 'ERR_DISK_FULL'
  | 'ERR_IO_ERROR'
  | 'ERR_CORRUPTION'
  | 'ERR_READ_ONLY'
  | 'ERR_STALE'
  | 'ERR_UNAVAILABLE'
  | 'ERR_TIMEOUT'
  | 'ERR_SESSION_EXPIRED'
  | 'ERR_PROTOCOL'
  | 'ERR_DENIED'
  | 'ERR_BUSY'
  | 'ERR_WRONG_OWNER'

/** What a failure affects: this call, or the whole store. */
export type StoreErrorScope = 'call' | 'store'

/** What a failed call left behind: nothing was applied, or it cannot be known. */
export type StoreErrorOutcome = 'none' | 'unknown'

const brand = Symbol.for('hotrow.StoreError')

/** A call that could not do its work. `instanceof` holds across copies of this package. */
export class StoreError extends Error {
  /** Stable across releases. */
  readonly code: StoreErrorCode
  readonly scope: StoreErrorScope
  readonly outcome: StoreErrorOutcome
  /** Whether the same call may succeed later without any change by the caller. */
  readonly retryable: boolean

  constructor(
    code: StoreErrorCode,
    message: string,
    fields: { scope: StoreErrorScope; outcome: StoreErrorOutcome; retryable: boolean },
  ) {
    super(message)
    this.code = code
    this.scope = fields.scope
    this.outcome = fields.outcome
    this.retryable = fields.retryable
    Object.defineProperty(this, brand, { value: true })
  }

  override get name(): string {
    return 'StoreError'
  }

  /** Whether `value` is a StoreError of any copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null || !(brand in value)) return false
    // A subclass knows its own kind only.
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked
    return this === StoreError || Object.prototype.isPrototypeOf.call(this.prototype, value)
  }
}

/** The error of a call on a closed store. */
export function closedError(what: string): StoreError {
  return new StoreError('ERR_CLOSED', `${what} is closed`, {
    scope: 'store',
    outcome: 'none',
    retryable: false,
  })
}

/** work(), with a StoreError it throws turned into a rejection. */
export function rejecting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work()
  } catch (error) {
    if (error instanceof StoreError) return Promise.reject(error)
    throw error
  }
}

function coded<E extends Error>(error: E): E {
  return Object.assign(error, { code: 'ERR_INVALID_ARGUMENT' })
}

/** How an error names a value: its class, or its type and value. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value !== 'object' || value === null) return String(value)
  // A caller's object may answer anything here, or throw.
  try {
    const type: unknown = value.constructor
    const name: unknown = typeof type === 'function' ? type.name : undefined
    return typeof name === 'string' && name !== '' ? name : 'an object'
  } catch {
    return 'an object'
  }
}

/** A TypeError `argument: expected X, received Y`. */
export function typeError(argument: string, expected: string, value: unknown): TypeError {
  return coded(new TypeError(`${argument}: expected ${expected}, received ${describe(value)}`))
}

/** A RangeError `argument: expected X, received Y`. */
export function rangeError(argument: string, expected: string, value: unknown): RangeError {
  return coded(new RangeError(`${argument}: expected ${expected}, received ${describe(value)}`))
}

/** A StoreError of a single call that another attempt would not mend. */
export function callError(code: StoreErrorCode, message: string): StoreError {
  return new StoreError(code, message, { scope: 'call', outcome: 'none', retryable: false })
}
