// Reads the flights into typed columns, one value per row and column.
//
// hyparquet hands out one plain array per page and column; it is folded into typed columns row
// group by row group, so that no object per row ever exists and memory stays small.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/** What a model may know of a flight before it leaves, and whether it was late. */
export interface Flights {
  readonly rows: number
  /** Days since 2001-01-01. */
  readonly day: Uint8Array
  readonly hour: Uint8Array
  /** Number of the airport in order of first appearance, below 256. */
  readonly origin: Uint8Array
  readonly destination: Uint8Array
  /** In hundreds of miles. */
  readonly distance: Uint8Array
  /** 1 when the flight was more than 15 minutes late. */
  readonly late: Uint8Array
  /** The first row of June 2001; `rows` when there is none. */
  readonly june: number
}

const HOUR_MS = 3_600_000
const FIRST_DAY_MS = Date.UTC(2001, 0, 1)
const JUNE = (Date.UTC(2001, 5, 1) - FIRST_DAY_MS) / (24 * HOUR_MS)
const LATE_MINUTES = 15

/** Where npm put the data set; undefined when the package is not installed. */
export function findFlights(): string | undefined {
  const folders = createRequire(import.meta.url).resolve.paths('vega-datasets') ?? []
  return folders
    .map((folder) => join(folder, 'vega-datasets', 'data', 'flights-3m.parquet'))
    .find((path) => existsSync(path))
}

/**
 * Reads the first `limit` rows of the parquet file at `path`.
 *
 * @param onRows is told how many rows are there so far
 */
export async function readFlights(
  path: string,
  limit: number,
  onRows: (rows: number) => void = () => {},
): Promise<Flights> {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const rows = Math.min(Number(metadata.num_rows), limit)
  const flights = emptyColumns(rows)
  const write = columnWriters(flights)
  // Times as milliseconds: a Date per row would cost more than all else here.
  const parsers = {
    timestampFromMicroseconds: (micros: bigint) => (Number(micros) / 1000) as never,
  }
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = Math.min(rowStart + Number(group.num_rows), rows)
    if (rowEnd <= rowStart) break
    await parquetRead({
      file,
      metadata,
      compressors,
      parsers,
      rowStart,
      rowEnd,
      columns: Object.keys(write),
      onPage: (page) => {
        const end = Math.min(page.rowEnd, rows)
        write[page.pathInSchema[0] as string]?.(page.columnData, page.rowStart, end)
      },
    })
    rowStart = rowEnd
    onRows(rowStart)
  }
  return { ...flights, june: firstAtOrAfter(flights.day, JUNE) }
}

type Columns = Omit<Flights, 'june'>
type ColumnWriter = (values: ArrayLike<unknown>, start: number, end: number) => void

function emptyColumns(rows: number): Columns {
  const column = () => new Uint8Array(rows)
  return {
    rows,
    day: column(),
    hour: column(),
    origin: column(),
    destination: column(),
    distance: column(),
    late: column(),
  }
}

function columnWriters(flights: Columns): Record<string, ColumnWriter> {
  const airports = new Map<string, number>()
  const codes =
    (column: Uint8Array): ColumnWriter =>
    (values, start, end) => {
      for (let row = start; row < end; row++) {
        column[row] = numberOf(airports, values[row - start] as string)
      }
    }
  return {
    date: (values, start, end) => {
      for (let row = start; row < end; row++) {
        const hours = Math.floor((Number(values[row - start]) - FIRST_DAY_MS) / HOUR_MS)
        flights.day[row] = hours / 24
        flights.hour[row] = hours % 24
      }
    },
    delay: (values, start, end) => {
      for (let row = start; row < end; row++) {
        flights.late[row] = Number(values[row - start]) > LATE_MINUTES ? 1 : 0
      }
    },
    distance: (values, start, end) => {
      for (let row = start; row < end; row++) {
        flights.distance[row] = Number(values[row - start]) / 100
      }
    },
    origin: codes(flights.origin),
    destination: codes(flights.destination),
  }
}

function numberOf(numbers: Map<string, number>, name: string): number {
  let number = numbers.get(name)
  if (number === undefined) {
    number = numbers.size
    if (number > 255) throw new RangeError('more than 256 airports: the columns are too narrow')
    numbers.set(name, number)
  }
  return number
}

function firstAtOrAfter(days: Uint8Array, day: number): number {
  const first = days.findIndex((value) => value >= day)
  return first < 0 ? days.length : first
}
