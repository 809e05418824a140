// A line chart as SVG, light enough to put into a page or a report as it is.

export interface Series {
  readonly name: string
  readonly color: string
  readonly dashed?: boolean
  /** One value per label; what is not a number leaves a gap. */
  readonly values: readonly number[]
}

export interface Chart {
  readonly title: string
  /** Along the axis; an empty one is not drawn. */
  readonly labels: readonly string[]
  readonly series: readonly Series[]
  readonly format: (value: number) => string
}

const WIDTH = 860
const HEIGHT = 380
const LEFT = 56
const RIGHT = 190
const TOP = 20
const BOTTOM = 36
const RIGHT_EDGE = WIDTH - RIGHT
const LOWER_EDGE = HEIGHT - BOTTOM

export function lineChart(chart: Chart): string {
  const values = chart.series.flatMap(({ values }) => values).filter(Number.isFinite)
  const ticks = niceTicks(Math.min(...values), Math.max(...values))
  const low = ticks[0] ?? 0
  const high = ticks.at(-1) ?? 1
  const x = (i: number) => LEFT + (i / Math.max(1, chart.labels.length - 1)) * (RIGHT_EDGE - LEFT)
  const y = (value: number) => LOWER_EDGE - ((value - low) / (high - low)) * (LOWER_EDGE - TOP)
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(chart.title)}"`,
    '  xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="12">',
    ...ticks.map((tick) => gridLine(y(tick), chart.format(tick))),
    ...chart.labels.flatMap((label, i) => (label === '' ? [] : axisLabel(x(i), label))),
    ...chart.series.map((series) => path(series, x, y)),
    ...legend(chart, y),
    '</svg>',
  ].join('\n')
}

export function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character)
}

/** Four to eight round numbers that cover [low, high]. */
function niceTicks(low: number, high: number): number[] {
  const span = high - low || 1
  const power = 10 ** Math.floor(Math.log10(span / 4))
  const step = power * ([1, 2, 5, 10].find((factor) => (power * factor * 8) / span >= 1) ?? 10)
  const first = Math.floor(low / step)
  const count = Math.ceil(high / step) - first
  return Array.from({ length: count + 1 }, (_, i) => (first + i) * step)
}

function gridLine(y: number, label: string): string {
  const line = `<line x1="${LEFT}" x2="${RIGHT_EDGE}" y1="${y}" y2="${y}" stroke="#e3e6ea"/>`
  return `${line}<text x="${LEFT - 8}" y="${y + 4}" text-anchor="end" fill="#667">${label}</text>`
}

function axisLabel(x: number, label: string): string {
  const y = HEIGHT - BOTTOM + 20
  return `<text x="${x}" y="${y}" text-anchor="middle" fill="#667">${escapeXml(label)}</text>`
}

function path(series: Series, x: (i: number) => number, y: (value: number) => number): string {
  let data = ''
  let pen = 'M'
  for (const [i, value] of series.values.entries()) {
    if (Number.isFinite(value)) data += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    pen = Number.isFinite(value) ? 'L' : 'M'
  }
  const dash = series.dashed === true ? ' stroke-dasharray="5 4"' : ''
  return `<path d="${data}" fill="none" stroke="${series.color}" stroke-width="2"${dash}/>`
}

/** Names at the right end of the lines, moved apart where lines end together. */
function legend(chart: Chart, y: (value: number) => number): string[] {
  const ends = chart.series
    .map((series) => ({ series, end: series.values.findLast(Number.isFinite) ?? Number.NaN }))
    .filter(({ end }) => Number.isFinite(end))
    .sort((a, b) => b.end - a.end)
  let next = 0
  return ends.map(({ series, end }) => {
    const at = Math.max(next, y(end))
    next = at + 17
    const name = `${escapeXml(series.name)} ${chart.format(end)}`
    return `<text x="${RIGHT_EDGE + 10}" y="${at + 4}" fill="${series.color}">${name}</text>`
  })
}
