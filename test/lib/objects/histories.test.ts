// Stores whose versions are not the ones that a bucket has.

import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { open, publish, type Store, type Table } from 'hotrow'
import * as assert from 'uvu/assert'
import { at, bucketSuite, followed, keys, ones, options, step } from '../support/bucket.ts'
import { damage } from '../support/damage.ts'
import { codeOf } from '../support/refusals.ts'
import { sameStores } from '../support/stores.ts'

const test = bucketSuite('histories in an object store')

test('followers of a version that the writer gave up go on with it', async (context) => {
  const { server, url, folder } = context
  const path = join(folder, 'unlucky')
  const before = await open(path)
  const s3 = server.options
  const publisher = await publish(before, url, { s3 })
  const table = await before.table('t', options)
  const push = async (store: Store, its: Table): Promise<void> => {
    await its.push(keys, ones)
    await store.commit()
  }
  await push(before, table)
  await publisher.publish()
  const slow = await followed(context, 'slow')
  for (let i = 0; i < 2; i++) {
    await push(before, table)
    await publisher.publish()
  }
  const quick = await followed(context, 'quick')
  assert.is(await at(quick), 3)
  await publisher.close()
  await before.close()
  await damage(join(path, 'versions', '3'.padStart(20, '0'), 'delta'))
  const store = await open(path, { recover: 'newest-intact' })
  assert.is(store.recovered?.to, 2)
  const again = await publish(store, url, { s3 })
  assert.is(await codeOf(again.publish()), 'ERR_CONFLICT')
  const its = await store.table('t', options)
  await its.erase(keys.subarray(0, 9))
  await push(store, its)
  assert.is((await again.publish()).version, 4)
  for (const follower of [slow, quick]) {
    assert.is((await follower.refresh()).version, 4)
    await sameStores(follower.store, store)
    await follower.close()
  }
  await again.close()
  await store.close()
})

test('another history of the same numbers is not published onto this one', async (context) => {
  const { server, url, folder } = context
  const [path, copy] = [join(folder, 'first'), join(folder, 'copy')]
  const s3 = server.options
  const grow = async (store: Store, versions: number): Promise<void> => {
    const its = await store.table('t', options)
    for (let i = 0; i < versions; i++) {
      await its.push(keys, ones)
      await store.commit()
    }
  }
  const store = await open(path)
  await grow(store, 2)
  await store.close()
  await cp(path, copy, { recursive: true })
  const first = await open(path)
  await grow(first, 1)
  const publisher = await publish(first, url, { s3 })
  await publisher.publish()
  const follower = await followed(context, 'f')
  assert.is(await at(follower), 3)
  await publisher.close()
  // Put back from the copy, it makes another version 3: that is seen, and gone over when it is not
  // kept any more.
  const second = await open(copy, { keepVersions: 2 })
  await (await second.table('t', options)).erase(keys.subarray(0, 7))
  await grow(second, 1)
  const again = await publish(second, url, { s3 })
  assert.is(await codeOf(again.publish()), 'ERR_CONFLICT')
  await grow(second, 1)
  assert.is(await codeOf(again.publish()), 'ERR_CONFLICT')
  await grow(second, 2)
  assert.is((await again.publish()).version, 6)
  assert.is((await follower.refresh()).version, 6)
  await sameStores(follower.store, second)
  await follower.close()
  await again.close()
  await first.close()
  await second.close()
})

test('versions of another store are not mixed with', async (context) => {
  await step(context)
  const other = await open(join(context.folder, 'other'))
  const publisher = await publish(other, context.url, { s3: context.server.options })
  assert.is(await codeOf(publisher.publish()), 'ERR_CONFLICT')
  await (await other.table('t', options)).push(keys, ones)
  await other.commit()
  await other.commit()
  assert.is(await codeOf(publisher.publish()), 'ERR_CONFLICT')
  await publisher.close()
  assert.is(await codeOf(publisher.publish()), 'ERR_CLOSED')
  await other.close()
})

test.run()
