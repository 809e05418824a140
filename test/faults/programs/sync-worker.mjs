// A worker of a training job, of which test/faults/sync-workers.test.ts kills some: in every step
// it adds 1 to its own lane of each key's row, then ends the step. Says each step it has ended.
// Arguments: index, number of workers, mode, lease in ms, keys, pause in ms, servers.

import { connect, sum } from 'hotrow'

const [index, of, mode, leaseMs, count, pause, ...servers] = process.argv.slice(2)
const store = await connect(servers)
const table = await store.table('t', { dim: Number(of), optimizer: sum() })
const keys = BigUint64Array.from({ length: Number(count) }, (_, i) => BigInt(i))
const gradients = new Float32Array(keys.length * Number(of))
for (let i = Number(index); i < gradients.length; i += Number(of)) gradients[i] = 1
const worker = await store.worker({
  group: 'job',
  index: Number(index),
  of: Number(of),
  mode,
  leaseMs: Number(leaseMs),
  ...(mode === 'bounded' ? { staleness: 2 } : {}),
})
while (true) {
  await table.push(keys, gradients)
  await worker.tick()
  const { mine } = await worker.clock()
  console.log(`step ${mine}`)
  await new Promise((done) => setTimeout(done, Math.random() * Number(pause)))
}
