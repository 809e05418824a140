// When what was changed is on disk: `durable` and `sync`; and what is opened when it is damaged.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adam, open, StoreError, type StoreOptions, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runProgram } from './support/children.ts'
import { damage } from './support/damage.ts'

const test = suite<{ path: string; folder: string }>('durable')

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
  context.path = join(context.folder, 's')
})
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }))

const options = { dim: 2, optimizer: sum() }
const keys = BigUint64Array.from({ length: 200 }, (_, i) => BigInt(i))
const ones = new Float32Array(keys.length * 2).fill(1)
const all = (value: number) => new Float32Array(keys.length * 2).fill(value)

/** Runs `text` with an open store and table until it prints `ready`, and kills it there. */
async function killed(path: string, given: StoreOptions, text: string): Promise<string> {
  const program = `
    import { open, sum } from 'hotrow'
    const store = await open(${JSON.stringify(path)}, ${JSON.stringify(given)})
    const table = await store.table('t', { dim: 2, optimizer: sum() })
    const keys = BigUint64Array.from({ length: 200 }, (_, i) => BigInt(i))
    const ones = new Float32Array(400).fill(1)
    ${text}
    console.log('ready')
    setInterval(() => {}, 1000)
  `
  const { signal, output } = await runProgram(program, { signal: 'SIGKILL' })
  assert.is(signal, 'SIGKILL', output)
  return output
}

test('a push that resolved survives kill', async ({ path }) => {
  await killed(
    path,
    { durable: 'push', keepVersions: 100 },
    `
    await store.commit({ cursor: 'mine' })
    await Promise.all(Array.from({ length: 50 }, () => table.push(keys, ones)))
    await table.erase(keys.subarray(0, 10))
    const dense = await store.dense('w', { shape: [2], optimizer: sum() })
    await dense.push(new Float32Array([1, 2]))
    await store.pushAll([[table, keys.subarray(20, 30), ones.subarray(0, 20)]])
    `,
  )
  const store = await open(path, { keepVersions: 100 })
  const table = await store.table('t', options)
  const rows = await table.lookup(keys)
  assert.equal([rows[0], rows[19], rows[20], rows[39]], [0, 0, 50, 50])
  assert.equal([rows[40], rows[59], rows[60]], [51, 51, 50])
  assert.equal(await (await store.dense('w')).pull(), new Float32Array([1, 2]))
  const { version, cursor } = await store.version()
  assert.is(cursor, 'mine')
  // The fifty pushes shared their commits.
  assert.ok(version < 20, `${version} versions`)
  await store.close()
})

test('by default what was not committed is lost, with any sync', async ({ path }) => {
  for (const sync of ['disk', 'os'] as const) {
    const text = 'await table.push(keys, ones); await store.commit(); await table.push(keys, ones)'
    await killed(`${path}-${sync}`, { sync }, text)
    const store = await open(`${path}-${sync}`, { sync })
    assert.equal(await (await store.table('t')).lookup(keys), all(1))
    await store.verify()
    await store.close()
  }
})

test('close waits for the commits of what was called before it', async ({ path }) => {
  const store = await open(path, { durable: 'push' })
  const table = await store.table('t', options)
  const pushes = [1, 2, 3].map(() => table.push(keys, ones))
  await store.close()
  await Promise.all(pushes)
  const again = await open(path, { durable: 'never' })
  const its = await again.table('t')
  assert.equal(await its.lookup(keys), all(3))
  // Without a promise of its own it makes versions all the same.
  await its.push(keys, ones)
  await again.commit()
  await again.close()
  const last = await open(path)
  assert.equal(await (await last.table('t')).lookup(keys), all(4))
  await last.close()
})

test('a durable call that is refused is refused at once', async ({ path }) => {
  const store = await open(path, { durable: 'push' })
  const table = await store.table('t', options)
  const bad = await table
    .push(
      keys,
      ones.map(() => Number.NaN),
    )
    .catch((error) => error)
  assert.is(bad.code, 'ERR_INVALID_ARGUMENT')
  assert.is((await store.version()).version, 0)
  await store.close()
  const memory = await open(':memory:', { durable: 'push' }).catch((error) => error)
  assert.is(memory.code, 'ERR_UNSUPPORTED')
})

test('recover opens the newest whole version, and says what it gave up', async (context) => {
  const { path } = context
  const store = await open(path)
  const table = await store.table('t', options)
  await (await store.dense('w', { shape: [3], optimizer: adam() })).push(new Float32Array(3))
  for (let i = 0; i < 3; i++) {
    await table.push(keys, ones)
    await store.commit({ cursor: i + 1 })
  }
  assert.is(store.recovered, undefined)
  await store.close()
  await damage(join(path, 'versions', '3'.padStart(20, '0'), 'delta'))
  const plain = await open(path)
  const code = await plain.verify().catch((error: StoreError) => error.code)
  assert.is(code, 'ERR_CORRUPTION')
  await plain.close()
  const reader = await open(path, { recover: 'newest-intact', readOnly: true })
  assert.equal([reader.recovered?.from, reader.recovered?.to], [3, 2])
  assert.equal(await (await reader.table('t')).lookup(keys), all(2))
  await reader.close()
  const again = await open(path, { recover: 'newest-intact' })
  assert.equal([again.recovered?.from, again.recovered?.to], [3, 2])
  assert.match(again.recovered?.reason ?? '', /[Cc]orruption|checksum/)
  assert.is((await again.version()).cursor, 2)
  const its = await again.table('t')
  await its.push(keys, ones)
  const next = await again.commit()
  assert.equal([next.version, next.parent], [4, 2])
  assert.equal(
    (await again.versions()).map(({ version }) => version),
    [1, 2, 4],
  )
  await again.close()
})

test('wrong options are named', ({ path }) => {
  for (const [field, value] of [
    ['sync', 'maybe'],
    ['recover', true],
    ['durable', 'always'],
  ]) {
    assert.throws(() => open(path, { [field as string]: value }), new RegExp(`^${field}: expected`))
  }
  assert.ok(StoreError)
})

test.run()
