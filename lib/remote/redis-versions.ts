/** Versions in a Redis Cluster: which there are, which is current, and how one goes. */
import { callError } from '../errors.ts'
import type { CallLimit, RedisCommand, RedisLink } from './redis-client.ts'
import { type Manifest, type ManifestTable, type Names, parseManifest } from './redis-layout.ts'
import { runScript } from './redis-scripts.ts'

/** Commands of one request about many buckets. */
const bucketsAtOnce = 512

function text(reply: unknown): string | undefined {
  return reply === null || reply === undefined ? undefined : String(reply)
}

/** The version that readers are to read, and its import. */
export interface Pointer {
  readonly version: number
  readonly id: string
}

export async function readPointer(
  link: RedisLink,
  names: Names,
  limit: CallLimit,
): Promise<Pointer | undefined> {
  const command = { slot: names.slot, name: 'get', args: [names.current] }
  const [reply] = await link.do('reading the current version', [command], limit)
  const pointer = text(reply)
  if (pointer === undefined) return undefined
  const [, version, id] = /^(\d+):(\w+)$/.exec(pointer) ?? []
  if (id === undefined) {
    throw callError('ERR_CORRUPTION', `'${names.current}' holds '${pointer.slice(0, 40)}'`)
  }
  return { version: Number(version), id }
}

export async function readManifest(
  link: RedisLink,
  names: Names,
  version: number,
  limit: CallLimit,
): Promise<Manifest | undefined> {
  const command = { slot: names.slot, name: 'get', args: [names.manifest(version)] }
  const [reply] = await link.do(`reading the manifest of version ${version}`, [command], limit)
  const json = text(reply)
  return json === undefined ? undefined : parseManifest(version, json)
}

/** All versions there are, complete or not. */
export async function readManifests(
  link: RedisLink,
  names: Names,
  limit: CallLimit,
): Promise<Manifest[]> {
  const command = { slot: names.slot, name: 'smembers', args: [names.versions] }
  const [reply] = await link.do('reading the versions', [command], limit)
  const versions = (reply as unknown[]).map(Number).sort((a, b) => a - b)
  const all = await Promise.all(
    versions.map((version) => readManifest(link, names, version, limit)),
  )
  return all.filter((manifest) => manifest !== undefined)
}

/** Every bucket of the tables, some at a time. */
export function* bucketsOf(
  tables: readonly ManifestTable[],
): Generator<[table: ManifestTable, bucket: number][]> {
  let some: [ManifestTable, number][] = []
  for (const table of tables) {
    for (let bucket = 0; bucket < table.buckets; bucket++) {
      some.push([table, bucket])
      if (some.length < bucketsAtOnce) continue
      yield some
      some = []
    }
  }
  if (some.length > 0) yield some
}

/** Makes a version current; `expected` as in the script. */
export async function route(
  link: RedisLink,
  names: Names,
  manifest: Manifest,
  expected: string,
  limit: CallLimit,
): Promise<void> {
  const { version, id } = manifest
  const args = [id, `${version}:${id}`, expected]
  const answer = await runScript(link, names, { script: 'route', version, args }, limit)
  if (answer === 'ok') return
  if (answer === 'missing') throw callError('ERR_NOT_FOUND', `version ${version} is not there`)
  const given = answer === 'none' ? 'no version' : `version ${answer.split(':')[0]}`
  const wanted = expected === 'none' ? 'none' : `version ${expected}`
  const what = `version ${version} is there but not current: expected ${wanted} to be`
  throw callError('ERR_CONFLICT', `${what}, ${given} is`)
}

/** Removes a version and its rows; of one half removed, what is left. */
export async function remove(
  link: RedisLink,
  names: Names,
  manifest: Manifest,
  limit: CallLimit,
): Promise<void> {
  const { version, id } = manifest
  const args = [id, JSON.stringify({ ...manifest, state: 'removing' })]
  const answer = await runScript(link, names, { script: 'remove', version, args }, limit)
  if (answer === 'current') {
    throw callError('ERR_CONFLICT', `version ${version} is the current one`)
  }
  if (answer === 'missing') throw callError('ERR_NOT_FOUND', `version ${version} is not there`)
  await unlinkBuckets(link, names, manifest, limit)
  await runScript(link, names, { script: 'forget', version, args: [id, `${version}`] }, limit)
}

/** Frees the rows of a version. */
export async function unlinkBuckets(
  link: RedisLink,
  names: Names,
  manifest: Manifest,
  limit: CallLimit,
): Promise<void> {
  for (const some of bucketsOf(manifest.tables)) {
    const commands = some.map(([table, bucket]): RedisCommand => {
      const { key, slot } = names.bucket(manifest, table, bucket)
      return { slot, name: 'unlink', args: [key] }
    })
    await link.do(`removing rows of version ${manifest.version}`, commands, limit)
  }
}
