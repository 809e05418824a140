// Prints a digest of all that a fixed script of calls leaves and answers: every optimizer and
// initializer, groups, duplicates, bags, growth and erasure, in batches large enough to be split
// over threads. Takes the number of threads as its argument.

import { createHash } from 'node:crypto'
import {
  adadelta,
  adagrad,
  adagradDecay,
  adam,
  adamax,
  adamw,
  amsgrad,
  constant,
  ftrl,
  groupFtrl,
  lamb,
  lars,
  lion,
  momentum,
  nesterov,
  normal,
  open,
  rmsprop,
  rowwiseAdagrad,
  rowwiseAdam,
  sgd,
  sum,
  truncatedNormal,
  uniform,
  zeros,
} from 'hotrow'

const threads = Number(process.argv[2])
const hash = createHash('sha256')
const digest = (rows) => hash.update(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength))

/** Whole numbers from a linear congruential generator (Numerical Recipes). */
let state = 12_345
const draw = (below) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}
const drawKeys = (count) => {
  // Half of them from a few keys, so that there are duplicates in every batch.
  return BigUint64Array.from({ length: count }, () =>
    draw(2) ? BigInt(draw(500)) : (BigInt(draw(2 ** 31)) << 33n) | BigInt(draw(40_000)),
  )
}
const drawFloats = (count) => Float32Array.from({ length: count }, () => draw(20_001) / 1e4 - 1)

const kTables = [
  [1, sgd({ learningRate: 0.1 }), zeros()],
  [7, adagrad({ learningRate: 0.1 }), uniform(0.1)],
  [16, rowwiseAdagrad({ learningRate: 0.1 }), normal(0.1)],
  [19, adam({ learningRate: 0.01 }), truncatedNormal(0.1)],
  [33, ftrl({ learningRate: 0.1, l1: 0.05, l2: 0.1 }), constant(0.3)],
  [5, sum(), uniform(-3, 5)],
]
const kMore = [
  momentum({ clipNorm: 0.5 }),
  nesterov({ clipValue: 0.5 }),
  adagradDecay({ decaySteps: 2 }),
  rmsprop(),
  adadelta({ weightDecay: 0.01 }),
  adamw(),
  amsgrad({ weightDecay: 0.01, clipNorm: 0.5 }),
  adamax(),
  rowwiseAdam({ clipNorm: 0.5 }),
  groupFtrl({ learningRate: 0.1, l1: 0.05, l21: 0.1 }),
  lamb({ weightDecay: 0.01 }),
  lars({ trust: 0.1, weightDecay: 0.01 }),
  lion({ weightDecay: 0.01 }),
]
const kGroups = [
  { firstSlot: 0, lastSlot: 0, rateScale: 0.5 },
  { firstSlot: 1, lastSlot: 2 ** 19, weightDecay: 0.02 },
]

const store = await open(':memory:', { threads })
for (const [dim, optimizer, initializer] of kTables) {
  const table = await store.table(`${dim}`, { dim, optimizer, initializer })
  for (const count of [50, 3000, 20_000]) {
    const keys = drawKeys(count)
    void table.push(keys, drawFloats(count * dim))
    const bags = Uint32Array.from({ length: count / 5 + 1 }, (_, i) => i * 5)
    const options = { mode: ['sum', 'mean', 'sqrtn'][draw(3)], weights: drawFloats(count) }
    digest(await table.lookupPooled(keys, bags, options))
    void table.pushPooled(keys, bags, drawFloats((count / 5) * dim), options)
    void table.update(keys.subarray(0, 40), drawFloats(40 * dim))
    hash.update(String(await table.erase(keys.subarray(20, count / 2))))
    void table.push(drawKeys(count), drawFloats(count * dim))
    digest(await table.lookup(keys))
    digest(table.lookupSync(drawKeys(count)))
  }
  hash.update(String((await table.stats()).rows))
}
for (const [i, optimizer] of kMore.entries()) {
  const dim = 3 + 5 * i
  const options = { dim, optimizer, initializer: uniform(0.5), groups: kGroups }
  const table = await store.table(optimizer.kind, options)
  for (const count of [200, 9000]) {
    const keys = drawKeys(count)
    void table.push(keys, drawFloats(count * dim))
    void table.push(keys, drawFloats(count * dim), { learningRate: 0.03 })
    digest(await table.lookup(keys))
  }
}
const dense = await store.dense('d', { shape: [37, 41], optimizer: adam(), initializer: normal(1) })
for (let step = 0; step < 3; step++) void dense.push(drawFloats(37 * 41))
digest(await dense.pull())
console.log(hash.digest('hex'))
