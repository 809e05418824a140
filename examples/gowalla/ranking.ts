// Rankings and their scores.

/** Sums over users; part of a whole when several threads rank. */
export interface RankingSums {
  /** With something to be found; the others do not count. */
  readonly users: number
  readonly recall: number
  readonly ndcg: number
}

export const NO_USERS: RankingSums = { users: 0, recall: 0, ndcg: 0 }

export function addSums(a: RankingSums, b: RankingSums): RankingSums {
  return { users: a.users + b.users, recall: a.recall + b.recall, ndcg: a.ndcg + b.ndcg }
}

/**
 * The items of the highest scores, best first; of equal scores the first item.
 *
 * @param scores [items], -Infinity for what must not appear
 */
export function topItems(scores: Float32Array, count: number): Uint32Array {
  const top = new Uint32Array(count)
  const best = new Float64Array(count).fill(Number.NEGATIVE_INFINITY)
  let limit = Number.NEGATIVE_INFINITY
  for (let item = 0; item < scores.length; item++) {
    const score = scores[item]!
    if (score <= limit) continue
    let place = count - 1
    for (; place > 0 && best[place - 1]! < score; place--) {
      best[place] = best[place - 1]!
      top[place] = top[place - 1]!
    }
    best[place] = score
    top[place] = item
    limit = best[count - 1]!
  }
  return top
}

/**
 * Recall: the share of `wanted` in the ranking. NDCG: found items count 1 / log2(1 + rank), over
 * the sum of the best possible ranking.
 */
export function judge(ranking: Uint32Array, wanted: Uint32Array): RankingSums {
  if (wanted.length === 0) return NO_USERS
  const sought = new Set(wanted)
  let hits = 0
  let gain = 0
  let ideal = 0
  for (const [place, item] of ranking.entries()) {
    const discount = 1 / Math.log2(place + 2)
    if (place < wanted.length) ideal += discount
    if (!sought.has(item)) continue
    hits++
    gain += discount
  }
  return { users: 1, recall: hits / wanted.length, ndcg: gain / ideal }
}
