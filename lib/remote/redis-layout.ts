/**
 * How versions lie in a Redis Cluster: names of keys, slots of buckets, buckets of keys, and the
 * JSON that describes a version. docs/FORMATS.md has the same in words. Pure functions.
 */

import { callError } from '../errors.ts'
import { hashWords } from './heat.ts'
import { messageOf } from './limit.ts'

/** Slots of every Redis Cluster. */
export const slotCount = 16_384
/** Most buckets of a table, a power of two. */
export const maxBuckets = 16_384
/** Rows of a bucket to aim at: a hash that moves between nodes in some tens of milliseconds. */
const bucketRows = 65_536
const leastBuckets = 64

const crcTable: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)
  return crc
})

/** CRC16 (XMODEM) of ASCII text, modulo the number of slots: the slot of a hash tag. */
export function slotOfTag(tag: string): number {
  let crc = 0
  for (let i = 0; i < tag.length; i++) {
    crc = ((crc << 8) & 0xffff) ^ (crcTable[(crc >> 8) ^ tag.charCodeAt(i)] as number)
  }
  return crc % slotCount
}

const tags = new Array<string | undefined>(slotCount)
let tagsTried = 0

/** The smallest whole number that, in decimal, is a hash tag of the slot. */
export function tagOfSlot(slot: number): string {
  while (tags[slot] === undefined) {
    const tag = `${tagsTried++}`
    tags[slotOfTag(tag)] ??= tag
  }
  return tags[slot] as string
}

/** The slot of a bucket: buckets are spread evenly over the slots, and so over the nodes. */
export function slotOfBucket(bucket: number, buckets: number): number {
  return Math.floor(((bucket + 0.5) * slotCount) / buckets)
}

/** The bucket of a key, of a power of two of them. */
export function bucketOf(low: number, high: number, buckets: number): number {
  return hashWords(low, high) % buckets
}

/** How many buckets a table of so many rows gets. */
export function bucketsFor(rows: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, rows / bucketRows)))
  return Math.min(maxBuckets, Math.max(leastBuckets, wanted))
}

/** A table of a version. */
export interface ManifestTable {
  readonly name: string
  readonly rowBytes: number
  readonly buckets: number
  /** Counted when the version was complete. */
  readonly rows: number
}

/** What is known of a version. */
export interface Manifest {
  readonly format: 1
  readonly version: number
  /** Of the import that made it: no two imports share a key in Redis. */
  readonly id: string
  readonly state: 'importing' | 'complete' | 'removing'
  readonly tables: readonly ManifestTable[]
}

/** Field of every bucket: its number of rows, in decimal. Fields of rows have 8 bytes. */
export const markerField = 'n'

/** The names of a prefix's keys. All but buckets are in one slot, for scripts over several. */
export class Names {
  readonly #prefix: string
  readonly current: string
  readonly versions: string
  /** The slot of all names but buckets. */
  readonly slot: number

  constructor(prefix: string) {
    this.#prefix = prefix
    this.current = `{${prefix}}:current`
    this.versions = `{${prefix}}:versions`
    this.slot = slotOfTag(prefix)
  }

  manifest(version: number): string {
    return `{${this.#prefix}}:v${version}`
  }

  bucket(
    manifest: Manifest,
    table: ManifestTable,
    bucket: number,
  ): { readonly key: string; readonly slot: number } {
    const slot = slotOfBucket(bucket, table.buckets)
    const of = `v${manifest.version}:${manifest.id}:${bucket}:${table.name}`
    return { key: `${this.#prefix}:{${tagOfSlot(slot)}}:${of}`, slot }
  }
}

/** A manifest as Redis holds it; ERR_CORRUPTION when it is none. */
export function parseManifest(version: number, text: string): Manifest {
  let manifest: Partial<Manifest>
  try {
    manifest = JSON.parse(text) as Partial<Manifest>
  } catch (error) {
    throw callError('ERR_CORRUPTION', `the manifest of ${version} is no JSON: ${messageOf(error)}`)
  }
  const { format, tables, id } = manifest
  if (format !== 1 || manifest.version !== version || typeof id !== 'string') {
    throw callError('ERR_CORRUPTION', `the manifest of version ${version} is of another format`)
  }
  // A script's encoder of JSON knows no empty array.
  return { ...(manifest as Manifest), tables: Array.isArray(tables) ? tables : [] }
}
