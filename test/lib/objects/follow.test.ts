// Versions that go from a writer to followers by way of an object store.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { adam, follow, open, publish, type StoreError } from 'hotrow'
import * as assert from 'uvu/assert'
import {
  all,
  at,
  bucketSuite,
  type Context,
  followed,
  keys,
  ones,
  options,
  step,
} from '../support/bucket.ts'
import { damage } from '../support/damage.ts'
import { eventually } from '../support/pages.ts'
import { codeOf } from '../support/refusals.ts'
import { sameStores } from '../support/stores.ts'

const test = bucketSuite('object store')

test('two followers follow, one of them late, over a restart of the server', async (context) => {
  const { server, store } = context
  assert.is(await codeOf(followed(context, 'early')), 'ERR_NOT_FOUND')
  assert.is((await context.publisher.publish()).version, 0)
  await step(context)
  const seen: number[] = []
  const errors: unknown[] = []
  const early = await followed(context, 'early', {
    pollMs: 20,
    onVersion: ({ version }: { version: number }) => seen.push(version),
    onError: (error: unknown) => errors.push(error),
  })
  const its = await early.store.table('t', options)
  assert.equal(await its.lookup(keys), all(1))
  assert.is(await codeOf(its.push(keys, ones)), 'ERR_READ_ONLY')
  for (let i = 2; i <= 6; i++) {
    await step(context)
    await eventually('each version', async () => (await at(early)) === i)
    assert.equal(await its.lookup(keys), all(i))
  }
  // Told after the switch.
  await eventually('five were told', async () => seen.length >= 5)
  assert.equal(seen, [2, 3, 4, 5, 6])
  assert.equal(errors, [])
  const late = await followed(context, 'late')
  assert.is(await at(late), 6)
  await sameStores(late.store, store)

  await server.pause()
  await eventually('an error', async () => errors.length > 0)
  assert.is((errors[0] as StoreError).code, 'ERR_IO_ERROR')
  assert.equal(await its.lookup(keys), all(6))
  await context.table.push(keys, ones)
  await store.commit()
  assert.is(await codeOf(context.publisher.publish()), 'ERR_IO_ERROR')
  await server.resume()
  assert.is((await context.publisher.publish()).version, 7)
  assert.is((await early.refresh()).version, 7)
  assert.is((await late.refresh()).version, 7)
  assert.equal(await its.lookup(keys), all(7))
  await Promise.all([early.close(), late.close()])
  const left = await readdir(join(context.folder, 'late'))
  assert.equal(left.sort(), ['LOCK', 'rows', 'versions'])
})

test('what is there is read while the object store is away', async (context) => {
  await step(context)
  await (await followed(context, 'f')).close()
  await context.server.pause()
  const errors: unknown[] = []
  const follower = await followed(context, 'f', { onError: (error: unknown) => errors.push(error) })
  assert.is(await at(follower), 1)
  assert.is(errors.length, 1)
  // Others on this machine read and follow the folder.
  const other = await follow(join(context.folder, 'f'))
  assert.equal(await (await other.store.table('t')).lookup(keys), all(1))
  await context.server.resume()
  await step(context)
  assert.is((await follower.refresh()).version, 2)
  assert.is((await other.refresh()).version, 2)
  await Promise.all([follower.close(), other.close()])
})

test('a damaged object is told, and mended by publishing it again', async (context) => {
  await step(context)
  const errors: StoreError[] = []
  const follower = await followed(context, 'f', {
    pollMs: 10,
    onError: (error: StoreError) => errors.push(error),
  })
  const its = await follower.store.table('t', options)
  // Published while nobody looks: it is damaged when it is first seen.
  const quiet = await followed(context, 'quiet')
  await follower.close()
  await step(context)
  const prefix = context.url.slice('s3://models/'.length)
  const [damaged] = await context.server.keys(prefix, 'deltas/', '.sst.')
  const bytes = await context.server.read(damaged as string)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 4
  await context.server.write(damaged as string, bytes)
  assert.is(await codeOf(quiet.refresh()), 'ERR_CORRUPTION')
  const again = await followed(context, 'f', {
    pollMs: 10,
    onError: (error: StoreError) => errors.push(error),
  })
  await eventually('two errors', async () => errors.length >= 2)
  assert.is(errors[0]?.code, 'ERR_CORRUPTION')
  assert.equal(await (await again.store.table('t')).lookup(keys), all(1))
  assert.equal(await (await quiet.store.table('t')).lookup(keys), all(1))
  assert.is(await codeOf(its.lookup(keys)), 'ERR_CLOSED')
  await context.publisher.republish(2)
  await eventually('version 2', async () => (await at(again)) === 2)
  assert.is((await quiet.refresh()).version, 2)
  assert.equal(await (await quiet.store.table('t')).lookup(keys), all(2))
  assert.is(await codeOf(context.publisher.republish(9)), 'ERR_NOT_FOUND')
  await Promise.all([again.close(), quiet.close()])
})

test('objects that are missing or no description are damage too', async (context) => {
  await step(context)
  const follower = await followed(context, 'f')
  await step(context)
  const prefix = context.url.slice('s3://models/'.length)
  const [part] = await context.server.keys(prefix, 'deltas/', '.sst.')
  await context.server.remove(part as string)
  assert.is(await codeOf(follower.refresh()), 'ERR_CORRUPTION')
  const [description] = await context.server.keys(prefix, '.delta.json')
  for (const text of ['', '{}', '{"format":1,"objects":"../x","partBytes":1,"delta":""}']) {
    await context.server.write(description as string, Buffer.from(text))
    const code = await codeOf(follower.refresh())
    assert.is(code, text === '{}' ? 'ERR_UNSUPPORTED' : 'ERR_CORRUPTION')
  }
  await context.publisher.republish(2)
  // This server may still give an object as it was a moment ago; a follower looks again.
  await eventually('mended', async () => (await codeOf(follower.refresh())) === 'none')
  assert.is(await at(follower), 2)
  await follower.close()
})

test('a publish that dies half way leaves nothing to be seen', async (context) => {
  await step(context)
  const follower = await followed(context, 'f')
  await context.table.push(keys, ones)
  await context.store.commit()
  const { client } = context.server
  let puts = 0
  // The description never gets there.
  const dying = {
    send: (command: { constructor: { name: string } }, more: object) => {
      if (command.constructor.name === 'PutObjectCommand' && ++puts === 2) {
        return Promise.reject(new Error('the publisher has died'))
      }
      return client.send(command as never, more)
    },
  }
  const publisher = await publish(context.store, context.url, { s3: dying })
  assert.is(await codeOf(publisher.publish()), 'ERR_IO_ERROR')
  await publisher.close()
  assert.is((await follower.refresh()).version, 1)
  const prefix = context.url.slice('s3://models/'.length)
  assert.is((await context.server.keys(prefix, 'deltas/')).length, 1)
  assert.is((await context.publisher.publish()).version, 2)
  assert.is((await follower.refresh()).version, 2)
  assert.equal(await (await follower.store.table('t')).lookup(keys), all(2))
  await follower.close()
})

/** Many versions that nobody publishes, in which tables, keys and dense values come and go. */
async function liveOn({ store, table }: Context): Promise<void> {
  await table.erase(keys.subarray(0, 100))
  const other = await store.table('other', { dim: 3, optimizer: adam() })
  await other.push(keys, new Float32Array(keys.length * 3).fill(0.5))
  const dense = await store.dense('w', { shape: [4], optimizer: adam() })
  await dense.push(new Float32Array(4).fill(1))
  await store.drop('gone')
  for (let i = 0; i < 6; i++) {
    await table.push(keys.subarray(200, 300), ones.subarray(0, 200))
    await store.commit()
  }
}

test('a gap is gone over by a snapshot, in one instant', async (context) => {
  const { store, publisher } = context
  const gone = await store.table('gone', options)
  await gone.push(keys, ones)
  await step(context)
  const follower = await followed(context, 'f')
  const its = await follower.store.table('t', options)
  const its2 = await follower.store.table('gone', options)
  await liveOn(context)
  assert.is((await publisher.publish()).version, 7)
  assert.is((await follower.refresh()).version, 7)
  await sameStores(follower.store, store)
  assert.is((await its.stats()).rows, 400)
  assert.is(await codeOf(its2.lookup(keys)), 'ERR_CLOSED')
  // And on by deltas, across a reopening.
  await step(context)
  await follower.close()
  const again = await followed(context, 'f')
  assert.is(await at(again), 8)
  await sameStores(again.store, store)
  await again.store.verify()
  await again.close()
})

test('a damaged folder is mended by what is published', async (context) => {
  for (let i = 0; i < 3; i++) await step(context)
  await (await followed(context, 'f')).close()
  await step(context)
  await (await followed(context, 'f')).close()
  await damage(join(context.folder, 'f', 'versions', '4'.padStart(20, '0'), 'delta'))
  const follower = await followed(context, 'f', { recover: 'newest-intact' })
  assert.is(await at(follower), 4)
  await sameStores(follower.store, context.store)
  await follower.store.verify()
  await follower.close()
})

test('a rollback is a version as any', async (context) => {
  await step(context)
  const follower = await followed(context, 'f')
  await step(context)
  await context.store.rollback(1)
  await context.publisher.publish()
  assert.is((await follower.refresh()).rolledBackTo, 1)
  await sameStores(follower.store, context.store)
  await follower.close()
})

test('wrong arguments are named', async ({ store, url, folder, server }) => {
  const message = async (work: () => Promise<unknown>): Promise<string> => {
    try {
      await work()
    } catch (error) {
      return (error as Error).message
    }
    return 'none'
  }
  const path = join(folder, 'f')
  assert.match(await message(() => follow('s3:/x', { path } as object)), /^source: expected s3:/)
  assert.match(await message(() => follow(folder, { path } as object)), /^path: expected nothing/)
  assert.match(await message(() => follow(url, {} as { path: string })), /^path: expected a folder/)
  const wrong = { path, s3: 3 } as object as { path: string }
  assert.match(await message(() => follow(url, wrong)), /^s3: expected an S3Client/)
  assert.match(await message(() => publish(store, 'x')), /^url: expected s3:/)
  assert.match(await message(() => publish(store, url, { snapshotEvery: 0 })), /^snapshotEvery: /)
  const memory = await open(':memory:')
  assert.is(await codeOf(publish(memory, url)), 'ERR_UNSUPPORTED')
  await memory.close()
  const s3 = server.options
  assert.is(await codeOf(follow('s3://none/at-all', { path, s3 })), 'ERR_NOT_FOUND')
})

test.run()
