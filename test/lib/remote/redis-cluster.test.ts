// The tier on a real Redis Cluster: six servers on loopback.

import { setTimeout as sleep } from 'node:timers/promises'
import { importVersion, lookupAllTiered, open, redisClusterTier, tieredTable } from 'hotrow'
import * as assert from 'uvu/assert'
import { keyRange, keys, randomNumbers, same } from '../support/arrays.ts'
import {
  assertRows,
  both,
  clusterSuite,
  kDims,
  kKeys,
  kRows,
  kTables,
  made,
  rowOf,
} from '../support/redis-tier.ts'
import { errorOf } from '../support/refusals.ts'
import { bytesOf } from '../support/tiers.ts'

const test = clusterSuite('redis cluster')

test('before the first version there is nothing to read', async ({ tier }) => {
  assert.is(tier.version, undefined)
  assert.equal(await tier.versions(), [])
  const error = await errorOf(() => tier.getMany('user', keys(1)))
  assert.is(error.code, 'ERR_NOT_FOUND')
  assert.match(error.message, /no version is current under 'model'/)
  const none = await errorOf(() => tier.removeVersion(3))
  assert.is(none.code, 'ERR_NOT_FOUND')
})

test('a version is imported, counted, and read', async ({ tier }) => {
  const seen: number[] = []
  const options = {
    version: 1,
    pageRows: 250,
    onProgress: ({ rows }: { rows: number }) => {
      seen.push(rows)
    },
  }
  const summary = await importVersion(both(1), tier, options)
  const rows = kKeys.length * 2
  assert.equal(summary, { version: 1, rows, bytes: kKeys.length * (16 + 4 * 11) })
  assert.equal([seen.length, seen.at(-1)], [26, rows])
  assert.is(tier.version, 1)
  await assertRows(tier, 1)
  assert.equal(await tier.getMany('user', keys(1_000_000)), [undefined])
  assert.equal(await tier.getMany('item', keys()), [])
  const tables = kTables.map((name) => {
    return { name, rowBytes: (kDims[name] as number) * 4, rows: kKeys.length }
  })
  assert.equal(await tier.versions(), [{ version: 1, state: 'complete', current: true, tables }])
})

test('rows lie as docs/FORMATS.md says', async ({ client, tier }) => {
  const pointer = (await client.get('{model}:current')) ?? ''
  const [, id] = /^1:([0-9a-f]{12})$/.exec(pointer) ?? []
  const manifest = JSON.parse((await client.get('{model}:v1')) ?? '')
  assert.is(manifest.id, id)
  assert.equal(manifest.tables[0], { name: 'user', rowBytes: 16, buckets: 64, rows: kKeys.length })
  // Worked out by hand from the page: the bucket of key 5, its slot, the slot's tag.
  let h = 5
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  const bucket = ((h ^ (h >>> 16)) >>> 0) % 64
  const slot = bucket * 256 + 128
  let tag = 0
  while ((await client.cluster('KEYSLOT', `${tag}`)) !== slot) tag++
  const name = `model:{${tag}}:v1:${id}:${bucket}:user`
  const field = Buffer.from(new BigUint64Array([5n]).buffer)
  const row = await client.hgetBuffer(name, field as unknown as string)
  assert.equal(new Uint8Array(row ?? []), bytesOf(...rowOf('user', 1, 5n)))
  assert.is(Number(await client.hget(name, 'n')), (await client.hlen(name)) - 1)
  await tier.setMany('user', keys(5), bytesOf(9, 9, 9, 9), 16)
  assert.equal(new Uint8Array((await tier.getMany('user', keys(5)))[0] ?? []), bytesOf(9, 9, 9, 9))
  await tier.setMany('user', keys(5), bytesOf(...rowOf('user', 1, 5n)), 16)
})

test('a table reads through it', async ({ store, tier }) => {
  const local = await store.table('user', { dim: 4 })
  const users = tieredTable(local, tier)
  const next = randomNumbers(7)
  for (let round = 0; round < 20; round++) {
    const batch = BigUint64Array.from({ length: 300 }, () => BigInt(Math.floor(next() * 3600)))
    const found = new Uint8Array(38)
    const rows = await users.lookup(batch, { found, missing: -1 })
    const expected = [...batch].flatMap((key) => {
      return key < kRows ? rowOf('user', 1, key) : [-1, -1, -1, -1]
    })
    same(rows, expected)
  }
  const { promoted, requests, localHits } = users.stats()
  assert.ok(promoted > 500 && localHits > 500)
  assert.is(requests, 20)
  await store.drop('user')
})

test('two versions lie side by side, and all readers switch at once', async (context) => {
  const { servers, store, tier } = context
  await importVersion(both(2), tier, { version: 2, activate: false })
  assert.is(tier.version, 1)
  await assertRows(tier, 1)
  await assertRows(tier, 2, kKeys, 2)
  // A reader in another place, which looks for itself.
  const other = await redisClusterTier({ nodes: servers.nodes, prefix: 'model', refreshMs: 40 })
  const readers = [tier, other].map(async (each, i) => {
    const views = []
    for (const name of kTables) {
      // Tables of one name in one store would share what the two promote.
      const named = await open(`:memory:reader ${i}`)
      const local = await named.table(name, { dim: kDims[name] as number })
      views.push(tieredTable(local, each, { promoteAfter: 1, timeoutMs: 10_000 }))
    }
    return views
  })
  const all = await Promise.all(readers)
  let done = false
  const seen = all.map(() => new Set<number>())
  const reading = all.map(async ([users, items], reader) => {
    for (let i = 0; !done; i++) {
      const batch = keyRange((i * 37) % 2900, 40)
      const [ofUsers, ofItems] = await lookupAllTiered([
        [users!, batch],
        [items!, batch],
      ])
      const version = ofUsers?.[1] as number
      same(
        ofUsers ?? [],
        [...batch].flatMap((key) => rowOf('user', version, key)),
      )
      same(
        ofItems ?? [],
        [...batch].flatMap((key) => rowOf('item', version, key)),
      )
      seen[reader]?.add(version)
    }
  })
  const switching = (async () => {
    for (const version of [2, 1, 2]) {
      await sleep(300)
      await tier.switchTo(version, { expected: 3 - version })
    }
    await sleep(300)
    done = true
  })()
  await Promise.all([...reading, switching])
  for (const versions of seen) assert.equal([...versions].sort(), [1, 2])
  await assertRows(other, 2)
  await other.close()
  assert.is(store.closed, false)
})

test('a switch from another version than expected changes nothing', async ({ tier }) => {
  const error = await errorOf(() => tier.switchTo(1, { expected: 1 }))
  assert.is(error.code, 'ERR_CONFLICT')
  assert.match(error.message, /expected version 1 to be, version 2 is/)
  assert.is((await errorOf(() => tier.switchTo(9))).code, 'ERR_NOT_FOUND')
  assert.is(await tier.refresh(), 2)
  const current = await errorOf(() => tier.removeVersion(2))
  assert.match(current.message, /version 2 is the current one/)
  const again = await errorOf(() => importVersion(both(3), tier, { version: 1 }))
  assert.match(again.message, /version 1 is there already/)
  assert.equal([current.code, again.code], ['ERR_CONFLICT', 'ERR_CONFLICT'])
})

test('a removed version is gone to the last key, and its readers go on', async (context) => {
  const { client, servers, store, tier } = context
  const stale = await redisClusterTier({ nodes: servers.nodes, prefix: 'model', refreshMs: 0 })
  const users = tieredTable(await store.table('user', { dim: 4 }), stale)
  await tier.switchTo(1)
  await tier.removeVersion(2)
  assert.is(stale.version, 2)
  // It takes nothing for missing: it hears that its version is gone, and reads the other.
  same(await users.lookup(keys(7)), rowOf('user', 1, 7n))
  assert.is(stale.version, 1)
  assert.is(
    (await errorOf(() => tier.getMany('user', keys(1), { version: 2 }))).code,
    'ERR_NOT_FOUND',
  )
  assert.is((await tier.versions()).length, 1)
  const counts = await Promise.all(client.nodes('master').map((node) => node.dbsize()))
  // 64 buckets a table, the pointer, the manifest, the list of versions.
  assert.is(
    counts.reduce((sum, count) => sum + count, 0),
    2 * 64 + 3,
  )
  await stale.close()
  await store.drop('user')
})

test('an import that fails leaves nothing; one that died is replaced', async ({ client, tier }) => {
  const size = async (): Promise<number> => {
    const counts = await Promise.all(client.nodes('master').map((node) => node.dbsize()))
    return counts.reduce((sum, count) => sum + count, 0)
  }
  const before = await size()
  const controller = new AbortController()
  const options = {
    version: 5,
    pageRows: 100,
    signal: controller.signal,
    onProgress: () => {
      controller.abort(new Error('enough'))
    },
  }
  assert.is((await errorOf(() => importVersion(both(5), tier, options))).message, 'enough')
  assert.is(await size(), before)
  const twice = made('user', 5, new BigUint64Array([...keyRange(0, 50), 7n]))
  const error = await errorOf(() => importVersion([twice], tier, { version: 5 }))
  assert.is(error.code, 'ERR_CORRUPTION')
  assert.match(error.message, /of 'user' has \d+ rows, \d+ were written/)
  assert.is(await size(), before)
  // As if its process had died.
  const tables = [{ name: 'user', rowBytes: 16, rows: 0 }]
  const dead = await tier.beginImport({ version: 5, tables, activate: true })
  await dead.setMany('user', keys(1, 2), new Uint8Array(32))
  assert.equal(
    (await tier.versions()).map(({ state }) => state),
    ['complete', 'importing'],
  )
  assert.is((await errorOf(() => tier.switchTo(5))).code, 'ERR_NOT_FOUND')
  await importVersion([made('user', 5)], tier, { version: 5, activate: false })
  const late = await errorOf(() => dead.commit())
  assert.is(late.code, 'ERR_CONFLICT')
  await dead.abort()
  const rows = await tier.getMany('user', keys(1), { version: 5 })
  assert.equal(new Uint8Array(rows[0] ?? []), bytesOf(...rowOf('user', 5, 1n)))
  await tier.removeVersion(5)
  assert.is(await size(), before)
})

test('a bucket that a node has lost is an error, not missing rows', async ({ client, tier }) => {
  await importVersion([made('user', 6)], tier, { version: 6, activate: false })
  const { id } = JSON.parse((await client.get('{model}:v6')) ?? '') as { id: string }
  for (const node of client.nodes('master')) {
    for (const key of await node.keys(`model:*:v6:${id}:*`)) await node.del(key)
  }
  const error = await errorOf(() => tier.getMany('user', keys(1), { version: 6 }))
  assert.is(error.code, 'ERR_CORRUPTION')
  assert.match(error.message, /bucket \d+ of 'user' of version 6 is gone: its node lost it/)
  await tier.removeVersion(6)
})

test('a client of the caller’s is used, and left open', async ({ client }) => {
  const tier = await redisClusterTier({ client, prefix: 'model', refreshMs: 0 })
  await assertRows(tier, 1)
  await tier.close()
  assert.is(client.status, 'ready')
  assert.is(await client.get('{model}:none'), null)
})

test('a closed tier refuses, and so does one of nobody', async ({ servers }) => {
  const [node] = servers.nodes
  const tier = await redisClusterTier({ nodes: [node!], prefix: 'model' })
  const reading = errorOf(() => Promise.all(kTables.map((name) => tier.getMany(name, kKeys))))
  await tier.close()
  assert.is((await reading).code, 'ERR_CLOSED')
  assert.is((await errorOf(() => tier.getMany('user', keys(1)))).code, 'ERR_CLOSED')
  assert.is((await errorOf(() => tier.refresh())).code, 'ERR_CLOSED')
  await tier.close()
  const started = performance.now()
  const options = { nodes: [{ host: '127.0.0.1', port: 1 }], prefix: 'model', timeoutMs: 200 }
  const nobody = await errorOf(() => redisClusterTier(options))
  assert.is(nobody.code, 'ERR_IO_ERROR')
  assert.ok(performance.now() - started < 2000)
})

test.run()
