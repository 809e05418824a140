/** Versions of a store: what they say of themselves, and the deltas between them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NativeVersion } from './addon.ts'
import { checkCallOptions, checkInteger, checkName } from './checks.ts'
import { callError, rangeError, typeError } from './errors.ts'

/** Where a trainer stands, in its own words: anything that JSON can say. */
export type Cursor =
  | null
  | boolean
  | number
  | string
  | readonly Cursor[]
  | { readonly [name: string]: Cursor }

/** One instant of a whole store, on disk. */
export interface VersionInfo {
  /** Counts from 1; 0: nothing was committed yet. */
  readonly version: number
  /** The version it was made from. */
  readonly parent: number
  /** Of the commit, since 1970. */
  readonly timeMs: number
  /** What the commit was given; null: nothing. */
  readonly cursor: Cursor
  /** Bytes written for it; 0 where that is not known any more. */
  readonly bytes: number
  /** Rows of all tables. */
  readonly rows: number
  /** The version whose rows it has, when `rollback` made it; else 0. */
  readonly rolledBackTo: number
  /**
   * It can be opened, rolled back to and followed. Not so when its folder could not be made; the
   * newest version is there all the same.
   */
  readonly kept: boolean
  readonly pinned: boolean
  readonly names: readonly string[]
}

/** Options of `commit`. */
export interface CommitOptions {
  /**
   * Where the trainer stands, at most 1 MiB of JSON: `version` gives it back to whoever opens the
   * store.
   */
  cursor?: Cursor
  /** As `nameVersion`. */
  name?: string
}

/** A version by its number, its name, or what `commit` or `versions` said of it. */
export type VersionLike = number | string | Pick<VersionInfo, 'version'>

/** A file of a delta, as docs/FORMATS.md describes it. */
export interface DeltaFile {
  readonly table: number
  readonly name: string
  readonly bytes: number
  /** Rows it puts. */
  readonly rows: number
  /** Keys that are gone. */
  readonly tombstones: number
  /** crc32c in eight hexadecimal digits. */
  readonly checksum: string
}

/** What one version changed. */
export interface Delta {
  /** The store that made it. */
  readonly run: string
  readonly version: number
  readonly parent: number
  /** The folder that has its files and `delta.json`; copied anywhere, `apply` takes it. */
  readonly folder: string
  readonly files: readonly DeltaFile[]
}

const mostCursorBytes = 2 ** 20

export function checkCommit(options: CommitOptions | undefined): { cursor: string; name: string } {
  checkCallOptions(options, ['cursor', 'name'])
  const { cursor = null, name } = options ?? {}
  const text = jsonOf(cursor)
  const bytes = Buffer.byteLength(text)
  if (bytes > mostCursorBytes) {
    throw rangeError('cursor', `at most ${mostCursorBytes} bytes of JSON`, `${bytes} bytes`)
  }
  return { cursor: text, name: name === undefined ? '' : checkVersionName(name) }
}

function jsonOf(cursor: Cursor): string {
  let text: string | undefined
  try {
    text = JSON.stringify(cursor)
  } catch {}
  // JSON has no NaN and no infinity, and would say null.
  const said = typeof cursor !== 'number' || Number.isFinite(cursor)
  if (text === undefined || !said) throw typeError('cursor', 'what JSON can say', cursor)
  return text
}

export function checkVersionName(name: unknown): string {
  const checked = checkName(name)
  if (/^\d+$/.test(checked)) throw rangeError('name', 'more than digits', checked)
  return checked
}

/** A version as the addon takes it. */
export function checkVersion(version: VersionLike): string {
  if (typeof version === 'string') return checkVersionNameOrNumber(version)
  const number = typeof version === 'object' && version !== null ? version.version : version
  return String(checkInteger('version', number, 1, Number.MAX_SAFE_INTEGER))
}

function checkVersionNameOrNumber(version: string): string {
  return /^[1-9]\d{0,15}$/.test(version) ? version : checkVersionName(version)
}

function cursorOf(text: string): Cursor {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    // A program in C++ wrote it.
    return text
  }
}

export function versionOf(native: NativeVersion): VersionInfo {
  return Object.freeze({ ...native, cursor: cursorOf(native.cursor) })
}

/** Where a store keeps the delta of a version. */
export function deltaFolder(path: string, version: number): string {
  return join(path, 'versions', String(version).padStart(20, '0'), 'delta')
}

/** What a delta's description says, whose second line is its checksum. */
export function parseDelta(
  text: string,
): Pick<Delta, 'run' | 'version' | 'parent' | 'files'> & { readonly manifest: string } {
  return JSON.parse(text.slice(0, text.indexOf('\n')))
}

async function readDelta(path: string, version: number): Promise<Delta> {
  const folder = deltaFolder(path, version)
  let text: string
  try {
    text = await readFile(join(folder, 'delta.json'), 'utf8')
  } catch (cause) {
    const error = callError('ERR_NOT_FOUND', `'${path}' does not keep version ${version}`)
    throw Object.assign(error, { cause })
  }
  const { run, parent, files } = parseDelta(text)
  return { run, version, parent, folder, files }
}

/** The deltas of versions from + 1 to `to`, in order. */
export async function* deltasBetween(
  path: string,
  from: number,
  to: number,
): AsyncGenerator<Delta, void, undefined> {
  for (let version = from + 1; version <= to; version++) yield await readDelta(path, version)
}
