// Versions that are kept, through TypeScript: reading them, going back, following, applying deltas.

import { access, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adam, type Delta, follow, open, type Store, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runNode } from './support/children.ts'
import { codeOf } from './support/refusals.ts'

interface Context {
  folder: string
  path: string
  store: Store
}

const test = suite<Context>('kept versions')

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
  context.path = join(context.folder, 's')
  context.store = await open(context.path, { keepVersions: 100 })
})
test.after.each(async ({ folder, store }) => {
  await store.close()
  await rm(folder, { recursive: true, force: true })
})

const keys = BigUint64Array.from({ length: 200 }, (_, i) => BigInt(i * 7))
const ones = new Float32Array(keys.length * 2).fill(1)
const all = (value: number) => new Float32Array(keys.length * 2).fill(value)
const options = { dim: 2, optimizer: sum() }

/** Versions 1 to n, in which every value is the version's number. */
async function grow(store: Store, n: number): Promise<Table> {
  const table = await store.table('t', options)
  for (let i = 0; i < n; i++) {
    await table.push(keys, ones)
    await store.commit({ cursor: i + 1 })
  }
  return table
}

test('a version is read while training goes on', async ({ store, path }) => {
  const table = await grow(store, 3)
  await table.push(keys, ones)
  const then = await store.at(2)
  assert.equal(await (await then.table('t', options)).lookup(keys), all(2))
  assert.is((await then.version()).cursor, 2)
  assert.equal(await table.lookup(keys), all(4))
  await assert.not.throws(() => then.close())
  const newest = await open(path, { readOnly: true })
  const its = await newest.table('t', options)
  assert.equal(await its.lookup(keys), all(3))
  assert.is(await codeOf(its.push(keys, ones)), 'ERR_READ_ONLY')
  assert.is(await codeOf(newest.commit()), 'ERR_READ_ONLY')
  assert.is(await codeOf(newest.table('other', options)), 'ERR_NOT_FOUND')
  await newest.close()
  assert.is(await codeOf(store.at(9)), 'ERR_NOT_FOUND')
  assert.is(await codeOf(store.at('prod')), 'ERR_NOT_FOUND')
})

test('another process reads, and may not write', async ({ store, path }) => {
  await grow(store, 2)
  const program = `
    import { open, sum } from 'hotrow'
    const [path] = process.argv.slice(1)
    const store = await open(path, { readOnly: true })
    const table = await store.table('t', { dim: 2, optimizer: sum() })
    console.log((await table.lookup(BigUint64Array.of(7n)))[0])
    await open(path).catch((error) => console.log(error.code, error.message))`
  const { output } = await runNode(['--input-type=module', '-e', program, path])
  assert.match(output, new RegExp(`^2\nERR_LOCKED .*${process.pid}`))
})

test('rollback goes back for good, and forward again', async ({ store, path }) => {
  const table = await grow(store, 4)
  await table.push(keys, ones)
  const back = await store.rollback(2)
  assert.is(back.version, 5)
  assert.is(back.rolledBackTo, 2)
  assert.is(back.cursor, 2)
  assert.equal(await table.lookup(keys), all(2))
  await store.close()
  const again = await open(path, { keepVersions: 100 })
  const its = await again.table('t', options)
  assert.equal(await its.lookup(keys), all(2))
  await again.rollback({ version: 4 })
  assert.equal(await its.lookup(keys), all(4))
  await again.close()
})

test('calls around a rollback take effect in their order', async ({ store }) => {
  const table = await grow(store, 2)
  const before = table.push(keys, ones)
  const back = store.rollback(1)
  const after = table.push(keys, ones)
  await Promise.all([before, back, after])
  assert.equal(await table.lookup(keys), all(2))
})

test('names and pins keep versions, and names lead to them', async ({ store, folder }) => {
  const path = join(folder, 'few')
  const few = await open(path, { keepVersions: 1 })
  await grow(few, 1)
  await few.commit({ name: 'prod' })
  await few.pin(1)
  await grow(few, 3)
  const numbers = async () => (await few.versions()).map(({ version }) => version)
  assert.equal(await numbers(), [1, 2, 4, 5])
  const [first, second] = await few.versions()
  assert.equal([first?.pinned, second?.pinned, second?.names], [true, false, ['prod']])
  const prod = await few.at('prod')
  assert.equal(await (await prod.table('t', options)).lookup(keys), all(1))
  await prod.close()
  await few.unpin(1)
  await few.nameVersion('prod', 5)
  await few.commit()
  assert.equal(await numbers(), [5, 6])
  await few.nameVersion('prod')
  await few.commit()
  assert.equal(await numbers(), [6, 7])
  await few.close()
  assert.throws(() => store.nameVersion('12', 1), /name: expected more than digits/)
  assert.throws(() => store.at(0), /version: expected an integer from 1/)
  assert.throws(() => store.at(''), /name: expected a string of 1 to 255/)
  // @ts-expect-error: that is the point
  assert.throws(() => store.rollback(undefined), /version: expected/)
})

test('deltas bring another store to the same versions', async ({ store, folder }) => {
  await grow(store, 3)
  const deltas: Delta[] = []
  for await (const delta of store.delta(0, 3)) deltas.push(delta)
  assert.equal(
    deltas.map(({ version, parent, files }) => [version, parent, files[0]?.rows]),
    [
      [1, 0, 200],
      [2, 1, 200],
      [3, 2, 200],
    ],
  )
  const [one, two, three] = deltas as [Delta, Delta, Delta]
  const standby = await open(join(folder, 'standby'))
  assert.is(await codeOf(standby.apply(two)), 'ERR_CONFLICT')
  const copy = join(folder, 'copied')
  await cp(one.folder, copy, { recursive: true })
  assert.is((await standby.apply(copy)).version, 1)
  assert.is((await standby.apply(one)).version, 1)
  const table = await standby.table('t', options)
  assert.is((await standby.apply(two)).cursor, 2)
  assert.equal(await table.lookup(keys), all(2))
  await table.push(keys, ones)
  assert.is(await codeOf(standby.apply(three)), 'ERR_CONFLICT')
  await standby.close()
  assert.is(await codeOf(exhaust(store, 9)), 'ERR_NOT_FOUND')
})

async function exhaust(store: Store, to: number): Promise<void> {
  for await (const _ of store.delta(3, to));
}

test('a follower goes to each version, and says how old it is', async ({ store, path }) => {
  const table = await grow(store, 1)
  const seen: number[] = []
  let arrived: (() => void) | undefined
  const follower = await follow(path, {
    pollMs: 20,
    onVersion: ({ version }) => {
      seen.push(version)
      arrived?.()
    },
  })
  const its = await follower.store.table('t', options)
  for (let i = 2; i <= 5; i++) {
    const arrival = new Promise<void>((done) => {
      arrived = done
    })
    await table.push(keys, ones)
    await store.commit()
    await arrival
    assert.equal(await its.lookup(keys), all(i))
  }
  assert.equal(seen, [2, 3, 4, 5])
  assert.equal(await its.lookup(keys, { maxAgeMs: 60_000 }), all(5))
  await new Promise((done) => setTimeout(done, 20))
  assert.is(await codeOf(its.lookup(keys, { maxAgeMs: 1 })), 'ERR_STALE')
  assert.throws(() => its.lookupSync(keys, undefined, { maxAgeMs: 1 }), /committed \d+ ms ago/)
  assert.equal(await table.lookup(keys, { maxAgeMs: 1 }), all(5))
  await follower.close()
  await follower.close()
  await table.push(keys, ones)
  await store.commit()
  assert.equal(seen, [2, 3, 4, 5])
})

test('close waits for what was called before it', async ({ folder }) => {
  const path = join(folder, 'closing')
  const store = await open(path)
  const table = await store.table('t', options)
  const pushed = table.push(keys, ones)
  const committed = store.commit()
  const closed = store.close()
  assert.is((await committed).version, 1)
  await Promise.all([pushed, closed])
  assert.is(await codeOf(store.commit()), 'ERR_CLOSED')
  const again = await open(path)
  assert.equal(await (await again.table('t', options)).lookup(keys), all(1))
  await again.close()
})

test('nothing to follow is an error, and makes nothing', async ({ folder }) => {
  assert.is(await codeOf(follow(join(folder, 'none'))), 'ERR_NOT_FOUND')
  assert.is(
    await codeOf(
      access(join(folder, 'none')).then(
        () => undefined,
        () => undefined,
      ),
    ),
    'none',
  )
  const bad = { pollMs: 0 }
  assert.is(await follow(folder, bad).catch((error) => error.code), 'ERR_INVALID_ARGUMENT')
})

test('every table of a version is verified, and compaction keeps them', async ({ store }) => {
  const table = await grow(store, 6)
  const dense = await store.dense('w', { shape: [3], optimizer: adam() })
  await dense.push(new Float32Array(3).fill(1))
  await store.commit()
  await store.verify()
  await store.compact()
  await store.verify()
  assert.equal(await table.lookup(keys), all(6))
})

test.run()
