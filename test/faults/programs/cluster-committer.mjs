// As committer.mjs, over several servers, until it is killed or a server goes: begins at the newest
// version, pushes 1 to every key and commits with the number of the step, and says so. Arguments:
// the number of keys, and the servers.
import { connect, sum } from 'hotrow'

const [count, ...servers] = process.argv.slice(2)
const store = await connect(servers, { timeoutMs: 20_000 })
const newest = await store.version()
if (newest.version > 0) await store.rollback(newest.version)
const table = await store.table('t', { dim: 2, optimizer: sum() })
const keys = BigUint64Array.from({ length: Number(count) }, (_, i) => BigInt(i * i))
const ones = new Float32Array(keys.length * 2).fill(1)
for (let step = (newest.cursor ?? 0) + 1; ; step++) {
  await table.push(keys, ones)
  await store.commit({ cursor: step })
  console.log(`committed ${step}`)
}
