// An object store with the S3 API on loopback, in this process: s3rver, which keeps its objects in
// a folder, so that they outlive a restart.

import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'

interface Server {
  run(): Promise<{ port: number }>
  close(): Promise<void>
  readonly httpServer: { closeAllConnections(): void }
}

// It has no types of its own.
const S3rver = createRequire(import.meta.url)('s3rver') as new (options: object) => Server

export const bucket = 'models'

export class S3Server {
  readonly #folder: string
  #server: Server | undefined
  #port = 0
  #client: S3Client | undefined

  private constructor(folder: string) {
    this.#folder = folder
  }

  get client(): S3Client {
    this.#client ??= new S3Client(this.options)
    return this.#client
  }

  static async start(): Promise<S3Server> {
    const folder = await mkdtemp(join(tmpdir(), 'hotrow-s3-'))
    const server = new S3Server(folder)
    await server.resume()
    return server
  }

  /** Of a client that reaches it. */
  get options(): object {
    return {
      endpoint: `http://127.0.0.1:${this.#port}`,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
      maxAttempts: 1,
    }
  }

  /** Starts it again, with the objects that it had. */
  async resume(): Promise<void> {
    this.#server = new S3rver({
      address: '127.0.0.1',
      port: this.#port,
      silent: true,
      directory: this.#folder,
      configureBuckets: [{ name: bucket }],
    })
    this.#port = (await this.#server.run()).port
  }

  async pause(): Promise<void> {
    const closed = this.#server?.close()
    // It waits for its connections, and one that is asked again and again never ends by itself.
    this.#server?.httpServer.closeAllConnections()
    await closed
    this.#server = undefined
  }

  async stop(): Promise<void> {
    this.#client?.destroy()
    await this.pause()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** The keys that have all of `words` in them. */
  async keys(...words: string[]): Promise<string[]> {
    const { Contents = [] } = await this.client.send(new ListObjectsV2Command({ Bucket: bucket }))
    const keys = Contents.flatMap(({ Key }) => Key ?? [])
    return keys.filter((key) => words.every((word) => key.includes(word)))
  }

  async read(key: string): Promise<Uint8Array> {
    const { Body } = await this.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return (await Body?.transformToByteArray()) ?? new Uint8Array(0)
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }))
  }

  async remove(key: string): Promise<void> {
    await this.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
  }
}
