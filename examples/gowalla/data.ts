// Reads Gowalla as NGCF and LightGCN split it: a line per user, "user item item ...".

import { dataFolder, readData } from '../common/files.ts'

/** The items of each user, end to end: those of user u from offsets[u] up to offsets[u + 1]. */
export interface Interactions {
  /** [users + 1] */
  readonly offsets: Uint32Array
  readonly items: Uint32Array
}

export interface Gowalla {
  readonly users: number
  readonly items: number
  readonly train: Interactions
  /** The items to be found: of the same users, none of them in `train`. */
  readonly test: Interactions
}

export function itemsOf({ offsets, items }: Interactions, user: number): Uint32Array {
  return items.subarray(offsets[user], offsets[user + 1])
}

/** Throws when the folder does not hold the data set, or a file is not of its form. */
export function readGowalla(path: string): Gowalla {
  const folder = dataFolder(path, 'gowalla_m1', ['train.txt', 'test.txt'])
  const train = parse(readData(folder, 'train.txt'), 'train.txt')
  const test = parse(readData(folder, 'test.txt'), 'test.txt')
  const users = train.offsets.length - 1
  if (test.offsets.length !== train.offsets.length) {
    throw new Error(`test.txt: expected ${users} users, received ${test.offsets.length - 1}`)
  }
  let last = -1
  for (const { items } of [train, test]) {
    for (const item of items) last = Math.max(last, item)
  }
  return { users, items: last + 1, train, test }
}

function parse(bytes: Uint8Array, name: string): Interactions {
  const lines = new TextDecoder().decode(bytes).trimEnd().split('\n')
  const items: number[] = []
  const offsets = [0]
  for (const [user, line] of lines.entries()) {
    const numbers = line.trim().split(' ').map(Number)
    if (numbers[0] !== user || !numbers.every(isId)) {
      throw new Error(`${name}, line ${user + 1}: expected '${user} item item ...'`)
    }
    for (let i = 1; i < numbers.length; i++) items.push(numbers[i]!)
    offsets.push(items.length)
  }
  return { offsets: Uint32Array.from(offsets), items: Uint32Array.from(items) }
}

function isId(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value < 2 ** 31
}
