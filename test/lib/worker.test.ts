// Workers of a training job: what JavaScript adds, and what it is refused. The clock itself and
// everything over sockets: test/native/server/clocks_test.cc, test/native/client/.

import { connect, open, type Store, SyncWorker, serve, sum, type WorkerOptions } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { metricsText } from '../../lib/cli/metrics.ts'
import { floats, keys, same } from './support/arrays.ts'

const test = suite('worker')

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: Error & { code?: string }) => error.code ?? error.message,
  )

const job = (index: number, of: number, mode: WorkerOptions['mode'] = 'bulk'): WorkerOptions => ({
  group: 'job',
  index,
  of,
  mode,
  ...(mode === 'bounded' ? { staleness: 1 } : {}),
})

/** A server, and stores that are connected to it. */
async function served<T>(
  stores: number,
  work: (all: Store[], server: Awaited<ReturnType<typeof serve>>, here: Store) => Promise<T>,
): Promise<T> {
  await using store = await open(':memory:')
  await using server = await serve(store)
  const all = await Promise.all(Array.from({ length: stores }, () => connect(server.address)))
  try {
    return await work(all, server, store)
  } finally {
    await Promise.all(all.map((each) => each.close()))
  }
}

test('a step of two workers is one push, in their order', () =>
  served(2, async ([a, b]) => {
    const mine = await a!.table('t', { dim: 1, optimizer: sum() })
    const theirs = await b!.table('t')
    const first = await a!.worker(job(0, 2))
    const second = await b!.worker(job(1, 2))
    assert.instance(first, SyncWorker)
    assert.equal([first.group, first.index, first.of, first.mode], ['job', 0, 2, 'bulk'])
    // 2^24 + 1 is not in f32, so the order is seen.
    await theirs.push(keys(1), floats(1))
    await theirs.push(keys(1), floats(1))
    await mine.push(keys(1), floats(2 ** 24))
    await a!.pushAll([[mine, keys(2), floats(5)]])
    same(await mine.lookup(keys(1, 2)), [0, 0])
    await Promise.all([second.tick(), first.tick()])
    same(await mine.lookup(keys(1, 2)), [2 ** 24, 5])
    assert.equal((await first.clock()).mine, 1)
    await first.leave()
    await first.leave()
    assert.is(await codeOf(first.tick()), 'ERR_CLOSED')
    assert.is(await codeOf(first.clock()), 'ERR_CLOSED')
    await mine.push(keys(2), floats(1))
    same(await mine.lookup(keys(2)), [6])
    await second.tick()
    await second[Symbol.asyncDispose]()
  }))

test('a tick that waits rejects when its time is up, and goes on when called again', () =>
  served(2, async ([a, b]) => {
    const first = await a!.worker(job(0, 2))
    assert.is(await codeOf(first.tick({ timeoutMs: 0 })), 'ERR_BUSY')
    try {
      await first.tick({ timeoutMs: 300 })
      assert.unreachable()
    } catch (error) {
      assert.match((error as Error).message, /worker 1, which has not come yet/)
    }
    const waiting = first.tick()
    // The store's calls go on meanwhile.
    assert.equal(await a!.tables(), [])
    assert.is((await first.clock()).workers[1]?.alive, false)
    const second = await b!.worker(job(1, 2))
    await second.tick()
    await waiting
    const { mine, slowest, workers } = await second.clock()
    assert.equal([mine, slowest], [1, 1])
    assert.equal(
      workers.map(({ index, clock, alive, behindMs }) => [index, clock, alive, behindMs]),
      [
        [0, 1, true, 0],
        [1, 1, true, 0],
      ],
    )
  }))

test('servers name groups, workers and clocks', () =>
  served(2, async ([a, b], server, here) => {
    const first = await a!.worker(job(0, 2, 'bounded'))
    await b!.worker(job(1, 2, 'bounded'))
    await first.tick()
    const { groups } = server.stats()
    assert.is(groups.length, 1)
    const { workers, ...group } = groups[0]!
    assert.equal(group, {
      group: 'job',
      mode: 'bounded',
      staleness: 1,
      leads: true,
      slowest: 0,
      dropped: 0,
      heldBytes: 0,
    })
    assert.equal(
      workers.map(({ clock, alive }) => [clock, alive]),
      [
        [1, true],
        [0, true],
      ],
    )
    const text = metricsText(await here.stats(), server.stats())
    assert.match(text, /^hotrow_worker_clock\{group="job",worker="0"\} 1$/m)
    assert.match(text, /^hotrow_worker_behind_seconds\{group="job",worker="1"\} [\d.e-]+$/m)
    assert.match(text, /^hotrow_workers_dropped_total\{group="job"\} 0$/m)
    await a!.close()
    await b!.close()
    assert.equal(server.stats().groups, [], 'closing leaves')
  }))

test('what is wrong is named before anything is sent', () =>
  served(1, async ([store]) => {
    const right = job(0, 2)
    const wrong: [Partial<Record<keyof WorkerOptions | 'x', unknown>>, RegExp][] = [
      [{ group: 7 }, /^group: expected a string/],
      [{ group: '' }, /^group: expected 1 to 255 bytes/],
      [{ group: 'ä'.repeat(128) }, /^group: expected 1 to 255 bytes/],
      [{ index: 2 }, /^index: /],
      [{ index: -1 }, /^index: /],
      [{ of: 0 }, /^of: /],
      [{ of: 1025 }, /^of: /],
      [{ of: 2 ** 40 }, /^of: /],
      [{ mode: 'sync' }, /^mode: /],
      [{ mode: 'bounded' }, /^staleness: expected a number, for mode 'bounded'/],
      [{ mode: 'bounded', staleness: -1 }, /^staleness: /],
      [{ mode: 'bounded', staleness: 1_000_001 }, /^staleness: /],
      [{ staleness: 1 }, /^staleness: /],
      [{ leaseMs: 49 }, /^leaseMs: /],
      [{ leaseMs: Number.NaN }, /^leaseMs: /],
      [{ x: 1 }, /x/],
    ]
    for (const [fields, message] of wrong) {
      assert.throws(
        () => store!.worker({ ...right, ...fields } as WorkerOptions),
        (error: Error & { code?: string }) =>
          error.code === 'ERR_INVALID_ARGUMENT' && message.test(error.message),
        JSON.stringify(fields),
      )
    }
    const worker = await store!.worker(right)
    assert.is(await codeOf(worker.tick({ timeoutMs: -1 })), 'ERR_INVALID_ARGUMENT')
    assert.is(await codeOf(worker.tick({ x: 1 } as never)), 'ERR_INVALID_ARGUMENT')
  }))

test('who may not join is told why', () =>
  served(3, async ([a, b, c], _server, here) => {
    await a!.worker(job(0, 2))
    assert.is(await codeOf(a!.worker(job(1, 2))), 'ERR_CONFLICT', 'it is one already')
    assert.is(await codeOf(b!.worker(job(0, 2))), 'ERR_CONFLICT', 'somebody else is it')
    assert.is(await codeOf(b!.worker(job(1, 2, 'async'))), 'ERR_CONFLICT', 'another mode')
    assert.is(await codeOf(b!.worker(job(1, 3))), 'ERR_CONFLICT', 'another number of workers')
    await b!.worker(job(1, 2))
    assert.is(await codeOf(here.worker(job(0, 1))), 'ERR_UNSUPPORTED')
    await c!.close()
    assert.is(await codeOf(c!.worker(job(0, 1))), 'ERR_CLOSED')
  }))

test('a push beside a tick is refused', () =>
  served(2, async ([a]) => {
    const table = await a!.table('t', { dim: 1, optimizer: sum() })
    const worker = await a!.worker(job(0, 2))
    const waiting = codeOf(worker.tick())
    while ((await worker.clock()).mine < 1) await new Promise((done) => setTimeout(done, 5))
    assert.is(await codeOf(table.push(keys(1), floats(1))), 'ERR_CONFLICT')
    await worker.leave()
    assert.is(await waiting, 'ERR_CLOSED')
  }))

test.run()
