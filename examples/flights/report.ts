// The outcome for people, as text and as an HTML page, and for programs.

import { writeFileSync } from 'node:fs'
import { escapeXml, lineChart, type Series } from '../common/chart.ts'
import { machine, type Result } from '../common/results.ts'
import { decimals, textTable, whole } from '../common/table.ts'
import type { Flights } from './data.ts'
import {
  MODEL_TITLES,
  type ModelName,
  type Outcome,
  type Place,
  type Requirement,
  requirements,
  speedRatio,
} from './outcome.ts'

const HEAD = [
  'model',
  'weights in',
  'AUC all',
  'AUC June',
  'logloss June',
  'rows/s',
  'store ÷ flat',
  'ids',
  'bytes/id',
]

const PLACES: Readonly<Record<Place, string>> = {
  flat: 'flat arrays',
  store: 'store',
  servers: 'servers',
}

function cells(outcomes: readonly Outcome[]): string[][] {
  return outcomes.map((one) => [
    MODEL_TITLES[one.model],
    PLACES[one.place],
    decimals(one.aucAll, 4),
    decimals(one.aucJune, 4),
    decimals(one.logLossJune, 4),
    whole(one.rowsPerSecond),
    one.place === 'store' ? decimals(speedRatio(outcomes, one.model) ?? Number.NaN, 2) : '',
    whole(one.size.ids),
    decimals(one.size.bytes / one.size.ids, 1),
  ])
}

/** The table, and below it what had to be reached and whether it was. */
export function textReport(outcomes: readonly Outcome[], complete: boolean): string {
  const table = textTable(HEAD, cells(outcomes))
  if (!complete) return `${table}\n\nOnly a part of the data: the requirements are for all of it.`
  return `${table}\n\n${requirements(outcomes).map(verdict).join('\n')}`
}

function verdict({ model, figure, value, limit, ratio }: Requirement): string {
  const sign = figure === 'logloss June' ? '≤' : '≥'
  const word = ratio >= 1 ? 'reached    ' : 'NOT reached'
  return `${word}  ${MODEL_TITLES[model]}, store: ${figure} ${decimals(value, 4)} ${sign} ${limit}`
}

/** Writes a page with the table and the learning curves. */
export function writePage(path: string, flights: Flights, outcomes: readonly Outcome[]): void {
  const chart = lineChart({
    title: 'AUC of each week, predicted before it was learned',
    labels: weekLabels(outcomes[0]?.weeklyAuc.length ?? 0),
    series: outcomes.map(curve),
    format: (value) => value.toFixed(2),
  })
  const row = (tag: string) => (line: readonly string[]) =>
    `<tr>${line.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join('')}</tr>`
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>hotrow: flights</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 900px;
    margin: 3em auto; padding: 0 1em }
  h1 { font-size: 1.4em } h2 { font-size: 1.1em; margin-top: 2em }
  table { border-collapse: collapse; font-size: 13px } p, footer { color: #556 }
  th, td { padding: .3em .8em .3em 0; border-bottom: 1px solid #e3e6ea; text-align: right }
  th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
</style>
<h1>Will this flight be late?</h1>
<p>${whole(flights.rows)} flights of 2001 in time order, each predicted before it was learned.</p>
<h2>AUC of each week</h2>
${chart}
<h2>Scores and speed</h2>
<table>
${row('th')(HEAD)}
${cells(outcomes).map(row('td')).join('\n')}
</table>
<footer><p>${escapeXml(machine())}</p></footer>
</html>
`
  writeFileSync(path, page)
}

const COLORS: Readonly<Record<ModelName, readonly [flat: string, store: string]>> = {
  lr: ['#f0b27a', '#b9560b'],
  fm: ['#7fb3e6', '#12569b'],
}

function curve({ model, place, weeklyAuc }: Outcome): Series {
  const [flat, store] = COLORS[model]
  const inStore = place !== 'flat'
  return {
    name: `${model.toUpperCase()}, ${PLACES[place]}`,
    color: inStore ? store : flat,
    dashed: inStore,
    values: weeklyAuc,
  }
}

/** The date of every fourth week. */
function weekLabels(weeks: number): string[] {
  return Array.from({ length: weeks }, (_, week) => {
    if (week % 4 !== 0) return ''
    const day = new Date(Date.UTC(2001, 0, 1 + week * 7))
    return day.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
  })
}

/** The outcome as results for programs. */
export function results(
  flights: Flights,
  outcomes: readonly Outcome[],
  complete: boolean,
): Result[] {
  const required = complete ? requirements(outcomes) : []
  return outcomes.flatMap((one) => {
    const params = { model: one.model, place: one.place, rows: flights.rows }
    const reached = (figure: Requirement['figure']): Record<string, number> => {
      const found = required.find((two) => two.model === one.model && two.figure === figure)
      return found === undefined || one.place !== 'store' ? {} : { required: found.ratio }
    }
    const speed = one.place === 'store' ? speedRatio(outcomes, one.model) : undefined
    const figure = (
      name: string,
      unit: string,
      value: number,
      ratios: Readonly<Record<string, number>> = {},
    ): Result =>
      Number.isFinite(value)
        ? { name, params, value, unit, ratios }
        : { name, params, value: null, reason: 'the rows end before June', unit, ratios: {} }
    return [
      figure('AUC all rows', '', one.aucAll),
      figure('AUC June', '', one.aucJune, reached('AUC June')),
      figure('logloss June', '', one.logLossJune, reached('logloss June')),
      figure('rows/s', 'rows/s', one.rowsPerSecond, speed === undefined ? {} : { flat: speed }),
      figure('ids', '', one.size.ids),
      figure('bytes per id', 'B', one.size.bytes / one.size.ids),
    ]
  })
}
