// What a run says at its end.

import type { Result } from '../common/results.ts'
import { decimals, textTable, whole } from '../common/table.ts'
import type { Scores } from './ranker.ts'

export interface Outcome {
  readonly epochs: number
  readonly popular: Scores
  readonly model: Scores
  /** Spent learning, without the rankings in between. */
  readonly trainingSeconds: number
  readonly positivesPerSecond: number
  /** Spent on the ranking of all users. */
  readonly rankingSeconds: number
}

/** Of the BARS leaderboard, same split, 64 values a row. */
const PUBLISHED: Readonly<Record<string, Scores>> = {
  'MF-BPR': { recall: 0.1627, ndcg: 0.1378 },
  LightGCN: { recall: 0.183, ndcg: 0.1554 },
  'MF-CCL': { recall: 0.1837, ndcg: 0.1493 },
}
const PUBLISHED_POPULAR: Scores = { recall: 0.0416, ndcg: 0.0317 }

export function textReport(outcome: Outcome): string {
  const row = (name: string, { recall, ndcg }: Scores) => [
    name,
    decimals(recall, 4),
    decimals(ndcg, 4),
  ]
  const published = Object.entries(PUBLISHED)
  const table = textTable(
    ['all users, all items', 'Recall@20', 'NDCG@20'],
    [
      row('most popular', outcome.popular),
      row('most popular, published', PUBLISHED_POPULAR),
      ...published.map(([name, scores]) => row(`${name}, published`, scores)),
      row('through the store', outcome.model),
    ],
  )
  const speed = `${whole(outcome.positivesPerSecond)} interactions/s`
  const training = `${outcome.epochs} epochs in ${decimals(outcome.trainingSeconds, 1)} s, ${speed}`
  const ranking = `all users ranked in ${decimals(outcome.rankingSeconds, 1)} s`
  return `${table}\n\n${training}; ${ranking}`
}

export function results(outcome: Outcome): Result[] {
  const { epochs, popular, model } = outcome
  const params = { epochs }
  const figures = [
    ['recall', 'Recall@20'],
    ['ndcg', 'NDCG@20'],
  ] as const
  const scores = figures.flatMap(([figure, name]): Result[] => [
    {
      name,
      params: { ...params, model: 'matrix factorisation' },
      value: model[figure],
      unit: '',
      ratios: Object.fromEntries(
        Object.entries(PUBLISHED).map(([peer, its]) => [peer, model[figure] / its[figure]]),
      ),
    },
    {
      name,
      params: { model: 'most popular' },
      value: popular[figure],
      unit: '',
      ratios: { published: popular[figure] / PUBLISHED_POPULAR[figure] },
    },
  ])
  return [
    ...scores,
    { name: 'training time', params, value: outcome.trainingSeconds, unit: 's', ratios: {} },
    {
      name: 'training speed',
      params,
      value: outcome.positivesPerSecond,
      unit: 'interactions/s',
      ratios: {},
    },
    { name: 'ranking time', params, value: outcome.rankingSeconds, unit: 's', ratios: {} },
  ]
}
