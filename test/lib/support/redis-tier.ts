// A tier on a Redis Cluster for tests, and rows to put there: every row says its table, its version
// and its key, so any mixture of two would be seen.

import {
  open,
  type RedisClusterTier,
  redisClusterTier,
  type ScannableTable,
  type Store,
} from 'hotrow'
import type { Cluster } from 'ioredis'
import { suite, type Test } from 'uvu'
import * as assert from 'uvu/assert'
import { keyRange, kLastKey } from './arrays.ts'
import { noRedis, RedisServers } from './redis-servers.ts'
import { bytesOf } from './tiers.ts'

export const kRows = 3000
export const kDims: Record<string, number> = { user: 4, item: 7 }
export const kTables = Object.keys(kDims)

export interface ClusterContext {
  servers: RedisServers
  client: Cluster
  store: Store
  tier: RedisClusterTier
}

/** [table, version, key, key, …] */
export function rowOf(table: string, version: number, key: bigint): number[] {
  const rest = new Array<number>((kDims[table] as number) - 2).fill(Number(key % 65_536n))
  return [kTables.indexOf(table), version, ...rest]
}

/** Keys of every table: small ones, and the ends of the key space. */
export const kKeys: BigUint64Array = new BigUint64Array([
  ...keyRange(0, kRows),
  2n ** 63n,
  kLastKey,
])

/** A table of a version that is made up page by page. */
export function made(name: string, version: number, some = kKeys): ScannableTable {
  const dim = kDims[name] as number
  return {
    name,
    dim,
    async *scan({ rows: size = 1000 } = {}) {
      for (let at = 0; at < some.length; at += size) {
        const page = some.slice(at, at + size)
        const rows = [...page].flatMap((key) => rowOf(name, version, key))
        yield { keys: page, rows: Float32Array.from(rows) }
      }
    },
  }
}

/** All tables of a version. */
export const both = (version: number): ScannableTable[] =>
  kTables.map((name) => made(name, version))

/** The tier has the rows of the version. */
export async function assertRows(
  tier: RedisClusterTier,
  version: number,
  batch = kKeys,
  asked?: number,
): Promise<void> {
  for (const name of kTables) {
    const rows = await tier.getMany(name, batch, { version: asked })
    for (const [i, row] of rows.entries()) {
      assert.equal(new Uint8Array(row ?? []), bytesOf(...rowOf(name, version, batch[i] as bigint)))
    }
  }
}

/**
 * A suite with a cluster of its own and a tier on it under `model`. Where Redis is not installed
 * its tests are skipped, and it says so.
 */
export function clusterSuite(name: string): Test<ClusterContext> {
  const test = suite<ClusterContext>(name)
  const missing = noRedis()
  if (missing !== undefined) {
    console.log(`skip: ${missing}`)
    // uvu's own marks stay what they are; only tests become skipped ones.
    return Object.assign(test.skip.bind(test), test) as Test<ClusterContext>
  }
  test.before(async (context) => {
    context.servers = await RedisServers.start()
    context.client = context.servers.client()
    context.store = await open(':memory:')
    context.tier = await redisClusterTier({ nodes: context.servers.nodes, prefix: 'model' })
  })
  test.after(async ({ servers, client, store, tier }) => {
    await tier?.close()
    client?.disconnect()
    await store?.close()
    await servers?.stop()
  })
  return test
}
