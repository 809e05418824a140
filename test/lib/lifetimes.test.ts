// What calls hold while they are under way: nothing is freed too soon, and nothing keeps a process
// or a worker from ending. In child processes, because what may go wrong is a native crash.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, runProgram } from './support/children.ts'

const test = suite('lifetimes')

const kBegin = `
  import { once } from 'node:events'
  import { Worker } from 'node:worker_threads'
  import { open, sum } from 'hotrow'
  const path = ':memory:lifetimes'
  const store = await open(path)
  const eviction = { policy: 'lowestScore', log: 1000, background: true, maxRows: 20_000 }
  const table = await store.table('t', { dim: 16, optimizer: sum(), eviction })
  const range = (from, n) => BigUint64Array.from({ length: n }, (_, i) => BigInt(from + i))
  const floats = (n, value) => new Float32Array(n).fill(value)
  await table.push(range(0, 5000), floats(80_000, 1))
`

/** Programs that must come to their end with exit code 0 and print `well`. */
const kPrograms: Record<string, string> = {
  'calls keep their arrays, whoever else has lost them': `
    const answers = []
    for (let i = 0; i < 30; i++) {
      const keys = () => range(0, 4001)
      const half = range(4000, 2000)
      const found = new Uint8Array(250)
      answers.push(table.lookup(keys(), { out: floats(64_016, 0), missing: 1 }))
      answers.push(store.lookupConcat([[table, keys(), { repeat: 1 }], [table, keys()]]))
      answers.push(table.lookup(half, { found: new Uint8Array(250), missing: 1 }))
      answers.push(table.lookup(half, { found, missing: 1 }).then((rows) => {
        const bits = found.reduce((n, byte) => n + byte.toString(2).replaceAll('0', '').length, 0)
        return bits === 1000 ? rows : [0]
      }))
      answers.push(table.lookupState(keys(), { found: new Uint8Array(501) }))
      answers.push(table.setScores(keys(), floats(4001, i)).then((n) => [n === 4001 ? 1 : 0]))
      answers.push(table.scan({ rows: 3000 }).next().then(({ value }) => value.rows))
      gc()
      if (i % 5 === 0) await new Promise(setImmediate)
    }
    const all = await Promise.all(answers)
    if (all.every((rows) => rows.every((value) => value === 1))) console.log('well')`,
  'lost generators and tables with a keeper': `
    for (let i = 0; i < 60; i++) {
      const other = await open(i % 2 ? ':memory:' : ':memory:lost')
      const made = await other.table('t' + i, { dim: 1, eviction: { policy: 'ttl', ttlMs: 1 } })
      await made.push(range(0, 100), floats(100, 1))
      const scan = made.scan({ rows: 10 })
      if (i % 3) await scan.next()
      if (i % 5 === 0) await other.close()
      gc()
    }
    gc()
    await new Promise(setImmediate)
    console.log('well')`,
  'a process that ends amid all of it': `
    for (let i = 0; i < 20; i++) {
      table.scan({ rows: 100 }).next()
      table.evict(10)
      table.shrink({ belowNorm: 0.5 })
      table.takeEvicted()
      store.lookupConcat([[table, range(0, 1000)]])
      table.push(range(i * 5000, 5000), floats(80_000, 1))
    }
    process.on('exit', () => console.log('well'))
    setTimeout(() => process.exit(0), 3)
    setInterval(() => {}, 1000)`,
  'a process that comes to its end with a keeper at work': `
    await table.push(range(0, 20_000), floats(320_000, 1))
    console.log('well')`,
  'workers terminated amid all of it': `
    const program = \`
      import('hotrow').then(async ({ open }) => {
        const { parentPort, workerData } = await import('node:worker_threads')
        const store = await open('\${path}')
        const table = await store.table('t', workerData.options)
        parentPort.postMessage('ready')
        const keys = BigUint64Array.from({ length: 3000 }, (_, i) => BigInt(i))
        for (let from = 0; ; from += 3000) {
          const calls = [table.evict(5), table.takeEvicted(), table.shrink({ belowNorm: 0.1 })]
          calls.push(store.lookupConcat([[table, keys, { found: new Uint8Array(375) }]]))
          calls.push(table.push(keys.map((key) => key + BigInt(from)), new Float32Array(48_000)))
          for await (const page of table.scan({ rows: 500 })) if (page.keys.length < 500) break
          await Promise.all(calls)
        }
      })\`
    for (let round = 0; round < 8; round++) {
      const workerData = { options: { ...table.options } }
      const worker = new Worker(program, { eval: true, workerData, execArgv: [] })
      await once(worker, 'message')
      await new Promise((done) => setTimeout(done, round))
      await worker.terminate()
    }
    await table.push(range(0, 10), floats(160, 1))
    if ((await table.stats()).rows <= 20_000) console.log('well')`,
}

for (const [what, program] of Object.entries(kPrograms)) {
  test(what, async () => {
    const ended = await runProgram(`${kBegin}\n${program}`)
    assertEnded(ended, 0)
    assert.ok(/^well$/m.test(ended.output), `ended otherwise:\n${ended.output}`)
  })
}

test.run()
