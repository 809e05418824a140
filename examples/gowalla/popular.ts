// The baseline: everyone is shown the items that most users have, but for the user's own. Its
// published scores are known, so it checks how the data is read and how rankings are judged.

import { type Gowalla, itemsOf } from './data.ts'
import type { Scores } from './ranker.ts'
import { addSums, judge, NO_USERS } from './ranking.ts'
import { TOP } from './settings.ts'

export function mostPopular(data: Gowalla): Scores {
  const counts = new Uint32Array(data.items)
  for (const item of data.train.items) counts[item] = counts[item]! + 1
  const order = Array.from(counts.keys()).sort((a, b) => counts[b]! - counts[a]!)
  let sums = NO_USERS
  for (let user = 0; user < data.users; user++) {
    const own = new Set(itemsOf(data.train, user))
    const ranking: number[] = []
    for (let i = 0; i < order.length && ranking.length < TOP; i++) {
      if (!own.has(order[i]!)) ranking.push(order[i]!)
    }
    sums = addSums(sums, judge(Uint32Array.from(ranking), itemsOf(data.test, user)))
  }
  return { recall: sums.recall / sums.users, ndcg: sums.ndcg / sums.users }
}
