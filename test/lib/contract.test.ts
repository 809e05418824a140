// The tests that hold of every kind of store, once more with the store behind a server: each file
// in a process of its own, with HOTROW_TEST_REMOTE set (support/open.ts); some over TLS too.

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

/** Of these over TLS too: large and small messages, both ways, several at once. */
const kOverTls = ['dense', 'model', 'order', 'scan', 'several', 'table']

async function expectTheSame(name: string, remote: '1' | 'tls'): Promise<void> {
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
for (const name of kOverTls) {
  test(`${name}: a remote store over TLS does the same`, () => expectTheSame(name, 'tls'))
}

test.run()
