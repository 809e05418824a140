// Pipelines: what a step's rows have seen, for every depth; failures and ends in the middle.

import { adagrad, type Store, sum, type Table, uniform } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, keys, randomFloats, same } from './support/arrays.ts'
import { open } from './support/open.ts'

interface Context {
  store: Store
  table: Table
}

const test = suite<Context>('pipeline')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.table = await context.store.table('t', { dim: 1, optimizer: sum() })
})
test.after.each(({ store }) => store.close())

const pause = (): Promise<void> => new Promise((done) => setTimeout(done, 1))

for (const depth of [0, 1, 2, 5]) {
  test(`depth ${depth}: rows lack no more than the last ${depth} pushes`, async (context) => {
    const { store, table } = context
    const one = keys(7)
    const seen: number[] = []
    const numbers = Array.from({ length: 40 }, (_, i) => i)
    const requests = () => [[table, one]] as const
    for await (const { batch, rows, push } of store.pipeline(numbers, { depth, requests })) {
      const [row] = rows as [Float32Array]
      assert.is(batch, seen.length)
      seen.push(row[0]!)
      if (batch % 3 === 0) await pause()
      push([filled(1, 1)])
    }
    assert.is(seen.length, 40)
    for (const [step, pushes] of seen.entries()) {
      assert.ok(pushes <= step && pushes >= step - depth, `step ${step} has seen ${pushes}`)
    }
    same(await table.lookup(one), [40])
  })
}

test('depth 0 trains as a loop that awaits every call, bit by bit', async ({ store }) => {
  const options = { dim: 3, optimizer: adagrad(), initializer: uniform(0.1), seed: 1 }
  const [a, b] = [await store.table('a', options), await store.table('b', options)]
  const batches = Array.from({ length: 20 }, (_, i) => keyRange(i * 3, 10))
  const gradients = (rows: Float32Array): Float32Array => rows.map((x) => x * 0.5 + 0.01)
  for (const batch of batches) await a.push(batch, gradients(await a.lookup(batch)))
  const requests = (batch: BigUint64Array) => [[b, batch]] as const
  for await (const { rows, push } of store.pipeline(batches, { depth: 0, requests })) {
    push(rows.map(gradients))
  }
  same(await b.lookup(keyRange(0, 70)), await a.lookup(keyRange(0, 70)))
})

test('several tables, an asynchronous source, and steps that push nothing', async (context) => {
  const { store, table } = context
  const wide = await store.table('wide', { dim: 4, optimizer: sum() })
  async function* source(): AsyncGenerator<number> {
    for (let i = 0; i < 10; i++) {
      await pause()
      yield i
    }
  }
  let steps = 0
  const requests = (i: number) =>
    [
      [table, keyRange(i, 2)],
      [wide, keyRange(i, 3)],
    ] as const
  for await (const { batch, rows, push } of store.pipeline(source(), { depth: 3, requests })) {
    assert.equal(
      rows.map(({ length }) => length),
      [2, 12],
    )
    if (batch % 2 === 0) push([filled(2, 1), randomFloats(12, batch)])
    steps++
  }
  assert.is(steps, 10)
  same(await table.lookup(keys(0, 1, 2)), [1, 1, 1])
})

test('what fails is thrown in the loop, and nothing is under way then', async (context) => {
  const { store, table } = context
  const failures: [string, RegExp, (i: number) => Float32Array, number][] = [
    ['a push', /NaN/, (i) => filled(1, i === 5 ? Number.NaN : 1), 4],
    ['gradients', /gradients/, (i) => filled(i === 5 ? 2 : 1, 1), 4],
  ]
  for (const [what, message, gradients, least] of failures) {
    let steps = 0
    let returned = false
    function* source(): Generator<number> {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        returned = true
      }
    }
    try {
      const requests = () => [[table, keys(1)]] as const
      for await (const step of store.pipeline(source(), { depth: 2, requests })) {
        step.push([gradients(step.batch)])
        steps++
      }
      assert.unreachable(what)
    } catch (error) {
      assert.match((error as Error).message, message, what)
    }
    assert.ok(steps > least && steps < 12, `${what}: ${steps}`)
    assert.ok(returned, `${what}: the source is closed`)
  }
  try {
    const requests = (i: number) => [[i === 3 ? ({} as Table) : table, keys(1)]] as const
    for await (const { push } of store.pipeline([0, 1, 2, 3, 4], { requests })) push([filled(1, 0)])
    assert.unreachable('a lookup')
  } catch (error) {
    assert.match((error as Error).message, /requests\[0\]/)
  }
})

test('a loop that is left waits for its pushes', async ({ store, table }) => {
  const requests = () => [[table, keys(1)]] as const
  for await (const { batch, push } of store.pipeline([0, 1, 2, 3], { depth: 3, requests })) {
    push([filled(1, 1)])
    assert.throws(() => push([filled(1, 1)]), /already/)
    if (batch === 1) break
  }
  same(table.lookupSync(keys(1)), [2])
})

test('what is wrong is named at once', ({ store, table }) => {
  const requests = () => [[table, keys(1)]] as const
  const wrong = (batches: unknown, options: unknown, message: RegExp): void => {
    assert.throws(
      () => store.pipeline(batches as [], options as { requests: typeof requests }),
      message,
    )
  }
  wrong(7, { requests }, /batches/)
  wrong([], { requests: 7 }, /requests/)
  wrong([], {}, /requests/)
  wrong([], { requests, depth: -1 }, /depth/)
  wrong([], { requests, depth: 1.5 }, /depth/)
  wrong([], { requests, deep: 1 }, /deep/)
})

test.run()
