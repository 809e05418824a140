/**
 * An object store with the S3 API, by GET, PUT and LIST alone. The npm client `@aws-sdk/client-s3`
 * is loaded when the first is opened and is needed by nobody else. No other file may import it.
 *
 * What is relied on: a PUT is there as a whole or not at all, and whoever GETs or LISTs afterwards
 * sees it. S3 does so, and what calls itself compatible.
 */
import { setMaxListeners } from 'node:events'
import { callError, closedError, StoreError, typeError } from '../errors.ts'
import { limited, messageOf, tierError } from '../remote/limit.ts'

/** What of an `S3Client` of `@aws-sdk/client-s3` is used. */
export interface S3ClientLike {
  /** Sends one request; rejects as the client's own does. */
  send(command: never, options?: { abortSignal?: AbortSignal }): Promise<unknown>
}

type Sdk = typeof import('@aws-sdk/client-s3')

/** Of one request, the client's own retries included. */
const requestTimeoutMs = 60_000

/** The error of a request that the object store answered or did not. */
function requestError(what: string, error: unknown): unknown {
  if (error instanceof StoreError || typeof error !== 'object' || error === null) return error
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }
  if (name === 'NoSuchBucket') {
    return Object.assign(callError('ERR_NOT_FOUND', `${what}: there is no such bucket`), {
      cause: error,
    })
  }
  const status = $metadata?.httpStatusCode
  const text = `${what}: ${name ?? 'Error'}: ${messageOf(error)}`
  const failure = tierError(status === undefined ? text : `${text} (status ${status})`, error)
  return failure
}

function isMissing(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { name } = error as { name?: string }
  return name === 'NoSuchKey' || name === 'NotFound'
}

/** The objects of one bucket. */
export class Objects {
  readonly bucket: string
  readonly #sdk: Sdk
  readonly #client: S3ClientLike
  readonly #ownsClient: boolean
  readonly #closing = new AbortController()

  /** @internal */
  constructor(sdk: Sdk, client: S3ClientLike, ownsClient: boolean, bucket: string) {
    this.bucket = bucket
    this.#sdk = sdk
    this.#client = client
    this.#ownsClient = ownsClient
    setMaxListeners(0, this.#closing.signal)
  }

  /** How errors name an object. */
  name(key: string): string {
    return `s3://${this.bucket}/${key}`
  }

  /** What `read` makes of the answer, before the time for all of it is up. */
  async #send<T>(what: string, command: object, read: (answer: never) => T): Promise<Awaited<T>> {
    const limit = { what, timeoutMs: requestTimeoutMs, signals: [this.#closing.signal] }
    return await limited(limit, async (abortSignal) => {
      const answer = await this.#client.send(command as never, { abortSignal })
      return await read(answer as never)
    })
  }

  /** An object's bytes; undefined when there is none. */
  async get(key: string): Promise<Uint8Array | undefined> {
    const what = `reading '${this.name(key)}'`
    const command = new this.#sdk.GetObjectCommand({ Bucket: this.bucket, Key: key })
    type Answer = { Body?: { transformToByteArray(): Promise<Uint8Array> } }
    try {
      return await this.#send(what, command, ({ Body }: Answer) => {
        return Body?.transformToByteArray() ?? new Uint8Array(0)
      })
    } catch (error) {
      if (isMissing(error)) return undefined
      throw requestError(what, error)
    }
  }

  /** Writes an object, in the place of one of its name. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    const what = `writing '${this.name(key)}'`
    const command = new this.#sdk.PutObjectCommand({
      Bucket: this.bucket,
      Key: key,
      Body: bytes,
      ContentLength: bytes.length,
    })
    try {
      await this.#send(what, command, () => undefined)
    } catch (error) {
      throw requestError(what, error)
    }
  }

  /** The keys that begin with a prefix and come after `after`, rising, page by page. */
  async list(prefix: string, after: string): Promise<string[]> {
    const what = `listing '${this.name(prefix)}'`
    const keys: string[] = []
    let token: string | undefined
    do {
      const command = new this.#sdk.ListObjectsV2Command({
        Bucket: this.bucket,
        Prefix: prefix,
        StartAfter: after,
        ...(token !== undefined && { ContinuationToken: token }),
      })
      type Page = { Contents?: { Key?: string }[]; NextContinuationToken?: string }
      let page: Page
      try {
        page = await this.#send(what, command, (answer: Page) => answer)
      } catch (error) {
        throw requestError(what, error)
      }
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key)
      token = page.NextContinuationToken
    } while (token !== undefined)
    // Not every server leaves out what comes before.
    return keys.filter((key) => key > after).sort()
  }

  /** Requests under way reject with ERR_CLOSED. */
  close(): void {
    this.#closing.abort(closedError('the object store'))
    if (!this.#ownsClient) return
    const { destroy } = this.#client as { destroy?: () => void }
    destroy?.call(this.#client)
  }
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3')
  } catch (error) {
    const text = 'an object store needs @aws-sdk/client-s3: npm install @aws-sdk/client-s3'
    throw Object.assign(callError('ERR_UNSUPPORTED', text), { cause: error })
  }
}

/**
 * Opens a bucket.
 *
 * @param s3 - a client, which is left open, or the options of one
 */
export async function openObjects(bucket: string, s3: unknown = {}): Promise<Objects> {
  if (typeof s3 !== 'object' || s3 === null) {
    throw typeError('s3', 'an S3Client of @aws-sdk/client-s3 or its options', s3)
  }
  const sdk = await loadSdk()
  if ('send' in s3 && typeof s3.send === 'function') {
    return new Objects(sdk, s3 as S3ClientLike, false, bucket)
  }
  // Not every compatible server knows the checksums that the client adds where it need not.
  const defaults = {
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const
  return new Objects(sdk, new sdk.S3Client({ ...defaults, ...s3 }), true, bucket)
}
