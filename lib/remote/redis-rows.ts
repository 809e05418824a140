/**
 * Rows of a version in its buckets: read by HMGET, written by HSET, each command on one bucket and
 * of bounded size.
 */
import { wordsOf } from './heat.ts'
import type { RedisCommand } from './redis-client.ts'
import {
  bucketOf,
  type Manifest,
  type ManifestTable,
  markerField,
  type Names,
} from './redis-layout.ts'

/** What the rows of one command may have at most, and how many they may be. */
const commandBytes = 2 ** 18
const mostFields = 1024

/** Positions of keys in a batch, all of one bucket. */
export interface BucketPart {
  readonly bucket: number
  readonly positions: readonly number[]
}

/** The keys of a batch by their buckets, in parts of a command's size. */
export function partsOf(keys: BigUint64Array, table: ManifestTable): BucketPart[] {
  const most = Math.max(1, Math.min(mostFields, Math.floor(commandBytes / table.rowBytes)))
  const words = wordsOf(keys)
  const open = new Map<number, number[]>()
  const parts: BucketPart[] = []
  for (let i = 0; i < keys.length; i++) {
    const bucket = bucketOf(words[2 * i] as number, words[2 * i + 1] as number, table.buckets)
    let positions = open.get(bucket)
    if (positions === undefined || positions.length === most) {
      positions = []
      open.set(bucket, positions)
      parts.push({ bucket, positions })
    }
    positions.push(i)
  }
  return parts
}

/** Bytes of keys, [8 n]: field i is its 8 bytes at 8 i, little-endian. */
function fieldBytes(keys: BigUint64Array): Buffer {
  return Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength)
}

/** Commands that read the marker of each part's bucket and then its keys. */
export function readCommands(
  names: Names,
  place: { manifest: Manifest; table: ManifestTable },
  keys: BigUint64Array,
  parts: readonly BucketPart[],
): RedisCommand[] {
  const fields = fieldBytes(keys)
  return parts.map(({ bucket, positions }) => {
    const { key, slot } = names.bucket(place.manifest, place.table, bucket)
    const args: (string | Buffer)[] = [key, markerField]
    for (const i of positions) args.push(fields.subarray(8 * i, 8 * i + 8))
    return { slot, name: 'hmget', args }
  })
}

/** Commands that assign the rows of each part. */
export function writeCommands(
  names: Names,
  place: { manifest: Manifest; table: ManifestTable },
  batch: { keys: BigUint64Array; rows: Uint8Array },
  parts: readonly BucketPart[],
): RedisCommand[] {
  const { keys, rows } = batch
  const { rowBytes } = place.table
  const fields = fieldBytes(keys)
  const values = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength)
  return parts.map(({ bucket, positions }) => {
    const { key, slot } = names.bucket(place.manifest, place.table, bucket)
    const args: (string | Buffer)[] = [key]
    for (const i of positions) {
      args.push(fields.subarray(8 * i, 8 * i + 8))
      args.push(values.subarray(rowBytes * i, rowBytes * (i + 1)))
    }
    return { slot, name: 'hset', args }
  })
}
