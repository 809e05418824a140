// A thread that ranks. It opens the store by its name and looks the rows up itself: no row passes
// between the threads, only the numbers of the users to rank and the sums.

import { parentPort, workerData } from 'node:worker_threads'
import { type Gowalla, itemsOf } from './data.ts'
import { scores } from './matrix.ts'
import { addSums, judge, NO_USERS, type RankingSums, topItems } from './ranking.ts'
import { DIM, TOP } from './settings.ts'
import { openModel } from './tables.ts'

/** So few that their scores stay in the processor's cache. */
const USERS_AT_ONCE = 16

const data = workerData as Gowalla
const model = await openModel()
const allItems = BigUint64Array.from({ length: data.items }, (_, item) => BigInt(item))

parentPort?.on('message', async (users: Uint32Array | null) => {
  if (users !== null) return parentPort?.postMessage(await rank(users))
  await model.store.close()
  parentPort?.close()
})
parentPort?.postMessage('ready')

async function rank(users: Uint32Array): Promise<RankingSums> {
  const itemRows = await model.items.lookup(allItems)
  const table = new Float32Array(USERS_AT_ONCE * data.items)
  let sums = NO_USERS
  for (let start = 0; start < users.length; start += USERS_AT_ONCE) {
    const some = users.subarray(start, start + USERS_AT_ONCE)
    const userRows = model.users.lookupSync(BigUint64Array.from(some, BigInt))
    scores(userRows, itemRows, DIM, table)
    for (const [i, user] of some.entries()) {
      const own = table.subarray(i * data.items, (i + 1) * data.items)
      for (const item of itemsOf(data.train, user)) own[item] = Number.NEGATIVE_INFINITY
      sums = addSums(sums, judge(topItems(own, TOP), itemsOf(data.test, user)))
    }
  }
  return sums
}
