// The outcomes for people, as tables and verdicts, and for programs, as results.

import type { Result } from '../examples/common/results.ts'
import { decimals, textTable } from '../examples/common/table.ts'
import {
  type Job,
  nameOf,
  PEERS,
  type PeerName,
  TARGET_NAME,
  TARGET_ROWS,
  TARGETS,
} from './jobs.ts'
import { PERCENTILES } from './measure.ts'
import { type Figure, type Outcome, ownFigures, peerFigure } from './rounds.ts'

const US = 1000

export interface Run {
  readonly rows: number
  readonly rounds: number
  readonly outcomes: readonly Outcome[]
  readonly absent: ReadonlyMap<PeerName, string>
}

/** The tables, and below them what was to be reached and whether it was. */
export function textReport(run: Run): string {
  const absent = [...run.absent].map(([peer, reason]) => `${peer} is left out: ${reason}`)
  return [ownTable(run), '', peerTable(run), '', ...absent, ...verdicts(run)].join('\n')
}

function ownTable({ outcomes }: Run): string {
  const head = ['µs a call', '', '±', 'ns/key', ...Object.keys(PERCENTILES)]
  head.push(...PEERS.map((peer) => `÷ ${peer}`))
  head.splice(1, 1)
  const rows = outcomes.flatMap((outcome) =>
    ownFigures(outcome).map(({ name, figure }) => [
      name,
      ...timeCells(figure, outcome.job),
      ...PEERS.map((peer) => times(peerFigure(outcome, peer), figure)),
    ]),
  )
  return textTable(['hotrow', ...head], rows)
}

function peerTable({ outcomes }: Run): string {
  const rows = outcomes.flatMap((outcome) =>
    outcome.figures
      .filter(({ contender }) => contender !== 'hotrow')
      .map((figure) => [
        peerName(figure.contender, outcome.job),
        ...timeCells(figure, outcome.job),
        figure.way,
      ]),
  )
  const head = ['µs a batch', '±', 'ns/key', ...Object.keys(PERCENTILES), 'fastest way']
  return textTable(['peers', ...head], rows)
}

function timeCells({ batchNs, spread, latencies }: Figure, { batch }: Job): string[] {
  return [
    short(batchNs / US),
    `${decimals(spread * 100, 0)} %`,
    batch === 0 ? '' : short(batchNs / batch),
    ...Object.keys(PERCENTILES).map((name) => short((latencies.percentiles[name] ?? NaN) / US)),
  ]
}

/** Three digits. */
function short(value: number): string {
  return decimals(value, value < 10 ? 2 : value < 100 ? 1 : 0)
}

function times(peer: Figure | undefined, own: Figure): string {
  return peer === undefined ? '' : `${short(peer.batchNs / own.batchNs)}×`
}

function verdicts(run: Run): string[] {
  if (run.rows !== TARGET_ROWS) return ['The targets are for 1,000,000 rows.']
  const outcome = run.outcomes.find((one) => nameOf('lookupSync', one.job) === TARGET_NAME)
  const own = outcome && ownFigures(outcome).find(({ name }) => name === TARGET_NAME)?.figure
  if (outcome === undefined || own === undefined) return []
  return PEERS.map((peer) => {
    const figure = peerFigure(outcome, peer)
    const target = `${TARGET_NAME}: ≥ ${TARGETS[peer]}× ${peer}`
    if (figure === undefined) return `not taken    ${target}`
    const ratio = figure.batchNs / own.batchNs
    const word = ratio >= TARGETS[peer] ? 'reached    ' : 'NOT reached'
    return `${word}  ${target}, measured ${short(ratio)}×`
  })
}

/** Every figure with its ratios to the peers' figures of the same job. */
export function results(run: Run): Result[] {
  return run.outcomes.flatMap((outcome) => [
    ...ownFigures(outcome).flatMap(({ name, figure }) => ownResults(run, outcome, name, figure)),
    ...outcome.job.contenders.flatMap((contender) =>
      contender === 'hotrow' ? [] : peerResults(run, outcome, contender),
    ),
  ])
}

function ownResults(run: Run, outcome: Outcome, name: string, own: Figure): Result[] {
  const params = paramsOf(run, outcome.job)
  const against = (time: (figure: Figure) => number | undefined) => {
    const mine = time(own)
    const pairs = PEERS.flatMap((peer) => {
      const figure = peerFigure(outcome, peer)
      const theirs = figure && time(figure)
      return mine === undefined || theirs === undefined ? [] : [[peer, theirs / mine] as const]
    })
    return Object.fromEntries(pairs)
  }
  const ratios: Record<string, number> = against(({ batchNs }) => batchNs)
  if (name === TARGET_NAME && run.rows === TARGET_ROWS) {
    for (const [peer, ratio] of Object.entries(ratios)) {
      const factor = TARGETS[peer as PeerName]
      ratios[`target ${factor}× ${peer}`] = ratio / factor
    }
  }
  const whole = { name, params, value: own.batchNs / US, unit: 'us', ratios }
  const percentiles = percentileResults(name, params, own).map((result) => {
    const key = result.name.slice(name.length + 1)
    return { ...result, ratios: against(({ latencies }) => latencies.percentiles[key]) }
  })
  return [whole, ...percentiles]
}

function peerResults(run: Run, outcome: Outcome, peer: PeerName): Result[] {
  const name = peerName(peer, outcome.job)
  const figure = peerFigure(outcome, peer)
  const params = paramsOf(run, outcome.job)
  if (figure === undefined) {
    const reason = run.absent.get(peer) ?? 'not taken'
    return [{ name, params, value: null, reason, unit: 'us', ratios: {} }]
  }
  const all = { ...params, way: figure.way }
  const whole = { name, params: all, value: figure.batchNs / US, unit: 'us', ratios: {} }
  return [whole, ...percentileResults(name, all, figure)]
}

function percentileResults(name: string, params: Result['params'], figure: Figure): Result[] {
  const { calls, percentiles } = figure.latencies
  return Object.keys(PERCENTILES).map((percentile) => {
    const value = percentiles[percentile]
    const common = { name: `${name}/${percentile}`, params, unit: 'us', ratios: {} }
    return value === undefined
      ? { ...common, value: null, reason: `only ${calls} calls were timed` }
      : { ...common, value: value / US }
  })
}

function peerName(peer: string, { work, dim, batch, keys }: Job): string {
  return `${peer}/${work}/dim${dim}/batch${batch}/${keys}`
}

function paramsOf({ rows, rounds }: Run, { dim, batch, keys }: Job): Result['params'] {
  return { dim, batch, keys, rows, rounds }
}
