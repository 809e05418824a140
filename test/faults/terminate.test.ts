// Guarantee E10 for workers: one that is terminated, throws or exits in the middle of its calls
// takes nothing with it. In a child process, because what may go wrong is a native crash.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, runProgram } from '../lib/support/children.ts'

const test = suite('terminate')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)

/** Ends `rounds` workers, one after the other, in the midst of calls of the kind `busy`. */
function endWorkers(busy: string, end: string, rounds: number): string {
  return `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    import { open, sum } from 'hotrow'
    const path = ':memory:terminate'
    const store = await open(path)
    const table = await store.table('t', { dim: 4, optimizer: sum() })
    const program = new URL('./test/faults/programs/worker.mjs', 'file://' + process.cwd() + '/')
    for (let round = 0; round < ${rounds}; round++) {
      const workerData = { task: 'busy', path, busy: '${busy}', end: '${end}' }
      const worker = new Worker(program, { workerData, execArgv: [] })
      const errors = []
      worker.on('error', (error) => errors.push(error))
      const exited = once(worker, 'exit').catch(() => {})
      await once(worker, 'message').catch(() => {})
      if ('${end}' === 'terminate') {
        await new Promise((done) => setTimeout(done, round % 7))
        await worker.terminate()
      }
      await exited
      if (errors.length !== ('${end}' === 'throw' ? 1 : 0)) throw new Error(String(errors))
    }
    await table.push(BigUint64Array.of(1n << 60n), Float32Array.of(1, 2, 3, 4))
    const row = table.lookupSync(BigUint64Array.of(1n << 60n))
    if (String(row) !== '1,2,3,4') throw new Error('a row of ' + row)
    const pushed = await table.lookup(BigUint64Array.from({ length: 2000 }, (_, i) => BigInt(i)))
    if (!pushed.every((x) => x === pushed[0])) throw new Error('part of a push')
    await store.close()
    console.log('well')
  `
}

const kKinds = ['idle', 'lookup', 'push', 'refused', 'open', 'sync', 'wrong', 'everything']

for (const busy of kKinds) {
  test(`a worker terminated amid calls (${busy}) leaves the process well`, async () => {
    const rounds = (busy === 'everything' ? 16 : 6) * kScale
    const ended = await runProgram(endWorkers(busy, 'terminate', rounds), {
      timeoutMs: 60_000 * kScale,
    })
    assertEnded(ended, 0)
    assert.match(ended.output, /^well$/m)
  })
}

for (const end of ['throw', 'exit']) {
  test(`a worker that ends by ${end} amid calls leaves the process well`, async () => {
    const ended = await runProgram(endWorkers('everything', end, 5 * kScale))
    assertEnded(ended, 0)
    assert.match(ended.output, /^well$/m)
  })
}

test.run()
