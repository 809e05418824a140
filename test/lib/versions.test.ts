// Versions through TypeScript: what a commit keeps and gives back, and what it refuses.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adam, open, type Store, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { codeOf } from './support/refusals.ts'

interface Context {
  folder: string
}

const test = suite<Context>('versions')

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
})
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }))

const keys = BigUint64Array.from({ length: 500 }, (_, i) => BigInt(i * 7))

async function at<T>(path: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await open(path)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

test('a reopened store goes on where the last version was', async ({ folder }) => {
  const options = { dim: 4, optimizer: adam() }
  const gradients = new Float32Array(keys.length * 4).fill(0.5)
  const expected = await at(':memory:', async (store) => {
    const table = await store.table('t', options)
    for (let i = 0; i < 3; i++) await table.push(keys, gradients)
    return table.lookup(keys)
  })
  for (let i = 1; i <= 3; i++) {
    await at(join(folder, 's'), async (store) => {
      const before = await store.version()
      assert.is(before.version, i - 1)
      assert.equal(before.cursor, i === 1 ? null : { step: i - 1 })
      const table = await store.table('t', options)
      // Not awaited: a commit has what was called before it.
      const pushed = table.push(keys, gradients)
      const made = await store.commit({ cursor: { step: i } })
      await pushed
      assert.is(made.version, i)
      assert.is(made.parent, i - 1)
      assert.ok(made.bytes > keys.length * 4 * 3 * 4)
      // Not committed: gone.
      await table.update(keys, new Float32Array(keys.length * 4).fill(9))
    })
  }
  await at(join(folder, 's'), async (store) => {
    assert.equal(await (await store.table('t', options)).lookup(keys), expected)
    assert.equal(await store.tables(), [{ name: 't', kind: 'table', shape: [4], rows: 500 }])
  })
})

test('calls go on while a commit writes', async ({ folder }) => {
  await at(join(folder, 's'), async (store) => {
    const table = await store.table('t', { dim: 2, optimizer: sum() })
    const ones = new Float32Array(keys.length * 2).fill(1)
    let commits = 0
    const committing = (async () => {
      for (; commits < 5; commits++) await store.commit()
    })()
    let pushes = 0
    for (; commits < 5; pushes++) await table.push(keys, ones)
    await committing
    assert.ok(pushes > 0)
    assert.equal(await table.lookup(keys), new Float32Array(keys.length * 2).fill(pushes))
    assert.is((await store.version()).version, 5)
  })
})

test('a store in memory refuses', async () => {
  await at(':memory:', async (store) => {
    assert.is(await codeOf(store.commit()), 'ERR_UNSUPPORTED')
    assert.is((await store.version()).version, 0)
  })
})

test('wrong options of a commit are named', async ({ folder }) => {
  await at(join(folder, 's'), async (store) => {
    const wrong: [unknown, RegExp][] = [
      ['x', /options: expected an object/],
      [{ cursor: () => 1 }, /cursor: expected what JSON can say/],
      [{ cursor: Number.NaN }, /cursor: expected what JSON can say/],
      [{ cursor: 1n }, /cursor: expected what JSON can say/],
      [{ cursor: 'x'.repeat(2 ** 20) }, /cursor: expected at most 1048576 bytes of JSON/],
      [{ name: '' }, /name: expected a string of 1 to 255/],
      [{ name: '17' }, /name: expected more than digits/],
      [{ name: '\ud800' }, /name: expected well-formed Unicode/],
      [{ cursors: 1 }, /cursors/],
    ]
    // @ts-expect-error: that is the point
    for (const [options, message] of wrong) assert.throws(() => store.commit(options), message)
    assert.is((await store.version()).version, 0)
  })
})

test('commit and close in any order', async ({ folder }) => {
  const store = await open(join(folder, 's'))
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  await table.push(keys, new Float32Array(keys.length).fill(1))
  const [committed] = await Promise.allSettled([store.commit(), store.close()])
  const version = committed?.status === 'fulfilled' ? 1 : 0
  await at(join(folder, 's'), async (again) => {
    assert.is((await again.version()).version, version)
  })
  assert.is(await codeOf(store.commit()), 'ERR_CLOSED')
})

test.run()
