// The tests that hold of every kind of store, once more with the store behind a server: each file
// in a process of its own, with HOTROW_TEST_REMOTE set (support/open.ts); some over TLS and over
// shared memory too.

import { open, serve } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runNode } from './support/children.ts'

const test = suite('contract')

const kFiles = [
  ...['admission', 'concat', 'dense', 'eviction', 'groups', 'initializers', 'lookup-options'],
  ...[
    'model',
    'optimizers',
    'order',
    'pipeline',
    'pooled',
    'scan',
    'several',
    'stats',
    'store',
    'table',
  ],
  ...['update-state', 'upkeep'],
]

/** Of these over TLS and over shared memory too: large and small messages, several at once. */
const kOverOthers = ['dense', 'model', 'order', 'scan', 'several', 'table']

/** Why shared memory cannot be tried here; undefined: it can. */
async function whyNoSharedMemory(): Promise<string | undefined> {
  const store = await open(':memory:')
  try {
    await (await serve(store, { transport: 'shm' })).stop()
    return undefined
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_UNSUPPORTED') throw error
    return (error as Error).message
  } finally {
    await store.close()
  }
}

async function expectTheSame(name: string, remote: '1' | 'tls' | 'shm'): Promise<void> {
  const ended = await runNode(['--import', 'tsx', `test/lib/${name}.test.ts`], {
    env: { HOTROW_TEST_REMOTE: remote },
    timeoutMs: 240_000,
  })
  assert.is(ended.code, 0, ended.output)
  const [, passed] = /Passed:\s+(\d+)/.exec(ended.output) ?? []
  assert.ok(Number(passed) > 0, ended.output)
}

for (const name of kFiles) {
  test(`${name}: a remote store does the same`, () => expectTheSame(name, '1'))
}
for (const name of kOverOthers) {
  test(`${name}: a remote store over TLS does the same`, () => expectTheSame(name, 'tls'))
}

const without = await whyNoSharedMemory()
if (without !== undefined) console.log(`skipped over shared memory: ${without}`)
for (const name of without === undefined ? kOverOthers : []) {
  test(`${name}: a remote store over shared memory does the same`, () => expectTheSame(name, 'shm'))
}

test.run()
