// The tests that hold of every kind of store, once more with the store behind a server: each file
// in a process of its own, with HOTROW_TEST_REMOTE set (support/open.ts).

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

for (const name of kFiles) {
  test(`${name}: a remote store does the same`, async () => {
    const ended = await runNode(['--import', 'tsx', `test/lib/${name}.test.ts`], {
      env: { HOTROW_TEST_REMOTE: '1' },
      timeoutMs: 240_000,
    })
    assert.is(ended.code, 0, ended.output)
    const [, passed] = /Passed:\s+(\d+)/.exec(ended.output) ?? []
    assert.ok(Number(passed) > 0, ended.output)
  })
}

test.run()
