// A bucket on a server of its own, a store that is published to it, and those who follow.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Follower,
  follow,
  open,
  type Publisher,
  publish,
  type Store,
  sum,
  type Table,
} from 'hotrow'
import { suite, type Test } from 'uvu'
import { S3Server } from './s3-server.ts'

export interface Context {
  server: S3Server
  folder: string
  store: Store
  table: Table
  publisher: Publisher
  count: number
  url: `s3://${string}`
}

export const options = { dim: 2, optimizer: sum() }
export const keys = BigUint64Array.from({ length: 500 }, (_, i) => BigInt(i * 7))
export const ones = new Float32Array(keys.length * 2).fill(1)
export const all = (value: number) => new Float32Array(keys.length * 2).fill(value)

export async function step({ table, store, publisher }: Context): Promise<number> {
  await table.push(keys, ones)
  await store.commit()
  return (await publisher.publish()).version
}

export const at = async (follower: Follower) => (await follower.store.version()).version

/** A follower that only looks when it is asked to. */
export function followed(
  { server, url, folder }: Context,
  name: string,
  more = {},
): Promise<Follower> {
  const path = join(folder, name)
  return follow(url, { path, s3: server.options, pollMs: 600_000, ...more })
}

/** A suite that starts each of its tests with an empty prefix in the bucket. */
export function bucketSuite(name: string): Test<Context> {
  const test = suite<Context>(name)
  let many = 0
  test.before(async (context) => {
    context.server = await S3Server.start()
  })
  test.after(({ server }) => server.stop())
  test.before.each(async (context) => {
    context.folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
    context.store = await open(join(context.folder, 'writer'), { keepVersions: 3 })
    context.table = await context.store.table('t', options)
    context.url = `s3://models/ads/m${++many}`
    context.publisher = await publish(context.store, context.url, {
      s3: context.server.options,
      snapshotEvery: 4,
    })
  })
  test.after.each(async ({ folder, store, publisher }) => {
    await publisher.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return test
}
