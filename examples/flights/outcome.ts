// What a run is judged by.

import { auc, logLoss } from '../common/metrics.ts'
import type { Flights } from './data.ts'
import type { Run, Size } from './train.ts'

export type ModelName = 'lr' | 'fm'
/** Where the weights are: flat arrays, a store of the process, or servers of several trainers. */
export type Place = 'flat' | 'store' | 'servers'

export const MODEL_TITLES: Readonly<Record<ModelName, string>> = {
  lr: 'logistic regression',
  fm: 'factorisation machine',
}

export interface Outcome {
  readonly model: ModelName
  readonly place: Place
  readonly aucAll: number
  /** NaN when the data ends before June; so is juneLogLoss. */
  readonly aucJune: number
  readonly logLossJune: number
  /** Of each week on its own. */
  readonly weeklyAuc: readonly number[]
  readonly rowsPerSecond: number
  readonly size: Size
}

export function judge(
  model: ModelName,
  place: Place,
  flights: Flights,
  run: Run,
  size: Size,
): Outcome {
  const { probabilities } = run
  const june = probabilities.subarray(flights.june)
  const lateInJune = flights.late.subarray(flights.june)
  return {
    model,
    place,
    aucAll: auc(probabilities, flights.late),
    aucJune: auc(june, lateInJune),
    logLossJune: logLoss(june, lateInJune),
    weeklyAuc: weekStarts(flights).map((start, week, starts) => {
      const end = starts[week + 1] ?? flights.rows
      return auc(probabilities.subarray(start, end), flights.late.subarray(start, end))
    }),
    rowsPerSecond: flights.rows / run.seconds,
    size,
  }
}

/** The first row of every week that the data reaches. */
function weekStarts(flights: Flights): number[] {
  const starts: number[] = []
  for (let row = 0; row < flights.rows; row++) {
    if (flights.day[row]! >= starts.length * 7) starts.push(row)
  }
  return starts
}

/** Rows per second through the store as a share of the flat arrays'; undefined without both. */
export function speedRatio(outcomes: readonly Outcome[], model: ModelName): number | undefined {
  const speed = (place: Place) =>
    outcomes.find((one) => one.model === model && one.place === place)?.rowsPerSecond
  const [store, flat] = [speed('store'), speed('flat')]
  return store === undefined || flat === undefined ? undefined : store / flat
}

/** What a model through the store must reach on all of the data. */
const REQUIRED = {
  lr: { aucJune: 0.772, logLossJune: 0.436 },
  fm: { aucJune: 0.812, logLossJune: 0.393 },
}
const REQUIRED_SPEED = 0.4

export interface Requirement {
  readonly model: ModelName
  readonly figure: 'AUC June' | 'logloss June' | 'rows/s store ÷ flat'
  readonly value: number
  readonly limit: number
  /** 1 when just reached, higher is better. */
  readonly ratio: number
}

/** The requirements on the runs through the store, with what they reached. */
export function requirements(outcomes: readonly Outcome[]): Requirement[] {
  return outcomes.flatMap((outcome) => {
    if (outcome.place !== 'store') return []
    const { model, aucJune, logLossJune } = outcome
    const limits = REQUIRED[model]
    const speed = speedRatio(outcomes, model) ?? Number.NaN
    return [
      atLeast(model, 'AUC June', aucJune, limits.aucJune),
      {
        model,
        figure: 'logloss June',
        value: logLossJune,
        limit: limits.logLossJune,
        ratio: limits.logLossJune / logLossJune,
      },
      atLeast(model, 'rows/s store ÷ flat', speed, REQUIRED_SPEED),
    ]
  })
}

function atLeast(
  model: ModelName,
  figure: Requirement['figure'],
  value: number,
  limit: number,
): Requirement {
  return { model, figure, value, limit, ratio: value / limit }
}
