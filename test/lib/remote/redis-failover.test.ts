// A tier on a real Redis Cluster of six servers, one of which is killed.

import { setTimeout as sleep } from 'node:timers/promises'
import { importVersion, redisClusterTier, StoreError, tieredTable } from 'hotrow'
import * as assert from 'uvu/assert'
import { keyRange, same } from '../support/arrays.ts'
import { assertRows, both, clusterSuite, kKeys, made, rowOf } from '../support/redis-tier.ts'
import { errorOf } from '../support/refusals.ts'

const test = clusterSuite('redis failover')

test('a master is killed: no wrong row, and all of them afterwards', async (context) => {
  const { servers, store, tier } = context
  const nodes = servers.nodes
  await importVersion(both(1), tier, { version: 1 })
  const patient = await redisClusterTier({ nodes, prefix: 'model', timeoutMs: 15_000 })
  const hasty = await redisClusterTier({ nodes, prefix: 'model', timeoutMs: 300 })
  const local = await store.table('user', { dim: 4 })
  const users = tieredTable(local, patient, { promoteAfter: 0, timeoutMs: 15_000 })
  const counts = { rows: 0, rejected: 0 }
  let done = false
  const read = async (seed: number): Promise<void> => {
    for (let i = seed; !done; i += 4) {
      const batch = keyRange((i * 41) % 2900, 64)
      const found = new Uint8Array(8)
      same(
        await users.lookup(batch, { found }),
        [...batch].flatMap((key) => rowOf('user', 1, key)),
      )
      assert.ok(found.every((bits) => bits === 255))
      counts.rows += batch.length
    }
  }
  const readHastily = async (): Promise<void> => {
    for (let i = 0; !done; i++) {
      const batch = keyRange((i * 41) % 2900, 64)
      try {
        await assertRows(hasty, 1, batch)
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        assert.is(error.code, 'ERR_IO_ERROR', error.message)
        assert.match(error.message, /took longer than 300 ms/)
        counts.rejected++
      }
    }
  }
  const readers = Promise.all([read(0), read(1), read(2), readHastily()])
  await sleep(200)
  const before = counts.rows
  // The node that holds bucket 0 of every table.
  await servers.loseMasterOf(128, 'SIGKILL')
  const importing = importVersion([made('user', 7)], tier, { version: 7, activate: false })
  await servers.ready()
  await importing
  await sleep(500)
  done = true
  await readers
  assert.ok(before > 0 && counts.rows > before)
  assert.ok(counts.rejected > 0, 'the failover took no time')
  await assertRows(patient, 1)
  await assertRows(hasty, 1)
  await assertRows(tier, 1)
  const rows = await tier.getMany('user', kKeys, { version: 7 })
  assert.ok(rows.every((row) => row !== undefined))
  await tier.removeVersion(7)
  await Promise.all([patient.close(), hasty.close()])
})

test('a master that hangs: its replica is asked instead', async ({ servers, tier }) => {
  const patient = await redisClusterTier({
    nodes: servers.nodes,
    prefix: 'model',
    timeoutMs: 20_000,
  })
  await assertRows(patient, 1)
  await servers.loseMasterOf(16_256, 'SIGSTOP')
  const error = await errorOf(() => assertRows(tier, 1))
  assert.is(error.code, 'ERR_IO_ERROR')
  assert.match(error.message, /took longer than 2000 ms/)
  await assertRows(patient, 1)
  await patient.close()
  // One with the usual limits hears of it too, in a few calls at most.
  for (let call = 1; ; call++) {
    try {
      await assertRows(tier, 1)
      break
    } catch (error) {
      if (call === 5 || !/took longer than/.test(String(error))) throw error
    }
  }
})

test.run()
