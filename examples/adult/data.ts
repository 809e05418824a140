// Reads UCI Adult: people of the 1994 census of the USA, and whether they earn above 50,000 a year.

import { slotKeys } from 'hotrow'
import { dataFolder, readData } from '../common/files.ts'

/** Columns of the files. */
const CATEGORIES = [1, 3, 5, 6, 7, 8, 9, 13]
const NUMBERS = [0, 2, 4, 10, 11, 12]
const LABEL = 14
const COLUMNS = 15
/** Capital gain and loss: nearly always 0, else in the thousands. */
const LOGARITHMIC = new Set([10, 11])

export const CATEGORY_FIELDS = CATEGORIES.length
export const NUMBER_FIELDS = NUMBERS.length

export interface People {
  readonly count: number
  /** [count, CATEGORY_FIELDS]: the slot is the field, the feature the category's name. */
  readonly keys: BigUint64Array
  /** [count, NUMBER_FIELDS]: of mean 0 and variance 1 over those to learn from. */
  readonly numbers: Float32Array
  /** [count], 1 for those who earn more. */
  readonly labels: Uint8Array
}

export interface Adult {
  readonly train: People
  readonly test: People
}

/** Throws when the folder does not hold the data set, or a file is not of its form. */
export function readAdult(path: string): Adult {
  const folder = dataFolder(path, 'adult', ['adult.data', 'adult.test'])
  const train = people(parse(readData(folder, 'adult.data'), 'adult.data'))
  const test = people(parse(readData(folder, 'adult.test'), 'adult.test'))
  standardise(train.numbers, [train.numbers, test.numbers])
  return { train, test }
}

/** The fields of each line; adult.test begins with a line that is none, `|1x3 Cross validator`. */
function parse(bytes: Uint8Array, name: string): string[][] {
  const rows: string[][] = []
  for (const [i, line] of new TextDecoder().decode(bytes).split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('|')) continue
    const fields = line.split(',').map((field) => field.trim())
    if (fields.length !== COLUMNS || !NUMBERS.every((column) => isNumber(fields[column]))) {
      throw new Error(`${name}, line ${i + 1}: expected ${COLUMNS} fields of Adult`)
    }
    rows.push(fields)
  }
  return rows
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && text !== '' && Number.isFinite(Number(text))
}

function people(rows: readonly string[][]): People {
  const keys = new BigUint64Array(rows.length * CATEGORY_FIELDS)
  const numbers = new Float32Array(rows.length * NUMBER_FIELDS)
  for (const [field, column] of CATEGORIES.entries()) {
    const names = rows.map((row) => row[column]!)
    for (const [i, key] of slotKeys(field, names).entries()) keys[i * CATEGORY_FIELDS + field] = key
  }
  for (const [field, column] of NUMBERS.entries()) {
    for (const [i, row] of rows.entries()) {
      const value = Number(row[column])
      numbers[i * NUMBER_FIELDS + field] = LOGARITHMIC.has(column) ? Math.log1p(value) : value
    }
  }
  // The labels of adult.test end in a dot.
  const labels = Uint8Array.from(rows, (row) => (row[LABEL]!.startsWith('>50K') ? 1 : 0))
  return { count: rows.length, keys, numbers, labels }
}

/** Scales every field of `all` by its mean and deviation in `known`. */
function standardise(known: Float32Array, all: readonly Float32Array[]): void {
  const count = known.length / NUMBER_FIELDS
  for (let field = 0; field < NUMBER_FIELDS; field++) {
    let sum = 0
    let squares = 0
    for (let i = field; i < known.length; i += NUMBER_FIELDS) {
      sum += known[i]!
      squares += known[i]! ** 2
    }
    const mean = sum / count
    const deviation = Math.sqrt(squares / count - mean ** 2) || 1
    for (const numbers of all) {
      for (let i = field; i < numbers.length; i += NUMBER_FIELDS) {
        numbers[i] = (numbers[i]! - mean) / deviation
      }
    }
  }
}
