// Guarantee E3: the state after the same calls is equal bit for bit, for every number of threads
// and every instruction set.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, runNode } from '../support/children.ts'

const test = suite('same bits')

async function digest(threads: number, cpu: string): Promise<string> {
  const ended = await runNode(['test/lib/lanes/digest.mjs', String(threads)], {
    env: { HOTROW_CPU: cpu },
  })
  assertEnded(ended, 0)
  assert.match(ended.output, /^[0-9a-f]{64}\n$/)
  return ended.output.trim()
}

let expected = ''

test.before(async () => {
  expected = await digest(1, 'baseline')
})

for (const cpu of ['baseline', 'avx2', '']) {
  test(`on 1, 2 and 4 threads, HOTROW_CPU=${cpu || '(none)'}`, async () => {
    for (const threads of [1, 2, 4]) {
      assert.is(await digest(threads, cpu), expected, `${threads} threads`)
    }
  })
}

test.run()
