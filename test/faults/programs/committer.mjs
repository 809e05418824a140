// Commits until it is killed: step i pushes 1 to every key of two tables and a dense parameter,
// then commits with the cursor i and says so. Arguments: the store's path, the number of keys, and
// how many pushes each commit has under way beside it.
import { open, sum } from 'hotrow'

const [path, count, beside] = process.argv.slice(2)
const store = await open(path)
const options = { dim: 2, optimizer: sum() }
const a = await store.table('a', options)
const b = await store.table('b', options)
const w = await store.dense('w', { shape: [3, 5], optimizer: sum() })
const keys = BigUint64Array.from({ length: Number(count) }, (_, i) => BigInt(i * i))
const ones = new Float32Array(keys.length * 2).fill(1)
// Pushed and taken back while a commit writes: no version may have only the half of it.
const other = BigUint64Array.from(keys, (key) => key + (1n << 60n))
const minus = ones.map((x) => -x)
const request = (table, gradients) => [table, other, gradients]
for (let step = ((await store.version()).cursor ?? 0) + 1; ; step++) {
  await store.pushAll([
    [a, keys, ones],
    [b, keys, ones],
  ])
  await w.push(new Float32Array(15).fill(1))
  const committing = store.commit({ cursor: step })
  for (let i = 0; i < Number(beside); i++) {
    await store.pushAll([request(a, ones), request(b, minus)])
  }
  await committing
  console.log(`committed ${step}`)
}
