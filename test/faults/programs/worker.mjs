// What a worker thread of the tests does. `workerData`: { path, task, ...}, task being one of the
// functions below. Posts messages about what it has done; plain JavaScript, so that it starts fast.

import { parentPort, workerData } from 'node:worker_threads'
import { open, sum } from 'hotrow'

const keyRange = (count) => BigUint64Array.from({ length: count }, (_, i) => BigInt(i))
const say = (message) => parentPort.postMessage(message)

/** Opens the table that worker and parent share. */
async function openTable({ path, dim = 4 }) {
  const store = await open(path)
  return { store, table: await store.table('t', { dim, optimizer: sum() }) }
}

const tasks = {
  /** Pushes ones to `count` keys, says so, and ends when told to; leaves the store open. */
  async push(data) {
    const { table } = await openTable(data)
    await table.push(keyRange(data.count), new Float32Array(data.count * table.dim).fill(1))
    say({ rows: (await table.stats()).rows })
    if (data.stay) await new Promise((done) => parentPort.once('message', done))
    parentPort.unref()
  },

  /** Adds 1 to lanes `lane` and `lane + clients` of each of `count` keys, `rounds` times. */
  async count(data) {
    const { lane, clients, count, rounds } = data
    const { store, table } = await openTable({ ...data, dim: clients * 2 })
    const keys = keyRange(count)
    const gradients = new Float32Array(count * table.dim)
    for (let i = lane; i < gradients.length; i += clients) gradients[i] = 1
    say('ready')
    for (let round = 0; round < rounds; round += 10) {
      await Promise.all(Array.from({ length: 10 }, () => table.push(keys, gradients)))
    }
    await store.close()
  },

  /** Opens and closes the store, `rounds` times, with a push in between. */
  async open(data) {
    for (let round = 0; round < data.rounds; round++) {
      const { store, table } = await openTable(data)
      await table.push(keyRange(3), new Float32Array(3 * table.dim).fill(1))
      await store.close()
    }
  },

  /** Keeps many calls of the kind `data.busy` under way until it is ended. */
  async busy(data) {
    const { store, table } = await openTable(data)
    const keys = keyRange(2000)
    const [ones, out] = [1, 0].map((x) => new Float32Array(2000 * table.dim).fill(x))
    const calls = {
      idle: () => [],
      lookup: () => [
        table.lookup(keys),
        table.lookup(keys, { out }),
        store.lookupAll([[table, keys]]),
      ],
      push: () => [table.push(keys, ones), store.pushAll([[table, keys, ones]])],
      refused: () => [
        table.push(
          keys,
          ones.map(() => Number.NaN),
        ),
        store.drop('none'),
      ],
      open: () => [open(':memory:').then((other) => other.close()), open(data.path)],
      sync: () => Array.from({ length: 50 }, () => table.lookupSync(keys, out)),
      wrong: () => {
        for (let i = 0; i < 200; i++) {
          try {
            table.lookup(i)
          } catch {}
        }
        return []
      },
    }
    const make = calls[data.busy] ?? (() => Object.values(calls).flatMap((call) => call()))
    say('ready')
    if (data.busy === 'idle') return new Promise(() => setInterval(() => {}, 1000))
    if (data.end === 'throw') setTimeout(() => JSON.parse('thrown on purpose'), 5)
    if (data.end === 'exit') setTimeout(() => process.exit(7), 5)
    for (;;) await Promise.allSettled([...make(), ...make(), new Promise(setImmediate)])
  },
}

await tasks[workerData.task](workerData)
