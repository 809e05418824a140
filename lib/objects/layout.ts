/**
 * Where the versions of a store lie in an object store, and what their descriptions say
 * (docs/FORMATS.md, "Versions in an object store").
 *
 * A version is there when its description is: that is written last and names objects that no other
 * upload writes. One listing says which versions there are.
 */

import { randomBytes } from 'node:crypto'
import { callError } from '../errors.ts'
import { type DeltaFile, parseDelta } from '../versions.ts'

/** What changed since the version before, or all of a version. */
export type Kind = 'delta' | 'snapshot'

/** A version that an object store has, in one of two forms. */
export interface Listed {
  readonly version: number
  readonly kind: Kind
}

/** What the description of a version says. */
export interface Description {
  /** The beginning of the names of its objects, without the prefix. */
  readonly objects: string
  /** Files are cut into objects of so many bytes; the last one is shorter. */
  readonly partBytes: number
  /** The delta's own description, with its checksum. */
  readonly text: string
  readonly run: string
  readonly version: number
  readonly parent: number
  /** The version's own, the same in a delta and in a snapshot. */
  readonly manifest: string
  readonly files: readonly DeltaFile[]
}

/** Small enough to be held in memory, and for a PUT of any object store. */
export const partBytes: number = 16 * 2 ** 20
const format = 1
const mostPartBytes = 2 ** 30
const mostParts = 1_000_000
const versionDigits = 20
const partDigits = 6

/** The names of the objects below a prefix. */
export class Names {
  readonly #prefix: string

  /** @param prefix - empty, or without a slash at its end */
  constructor(prefix: string) {
    this.#prefix = prefix === '' ? '' : `${prefix}/`
  }

  get versions(): string {
    return `${this.#prefix}versions/`
  }

  description({ version, kind }: Listed): string {
    return `${this.versions}${String(version).padStart(versionDigits, '0')}.${kind}.json`
  }

  /** In a listing, after everything of this version. */
  after(version: number): string {
    return `${this.versions}${String(version).padStart(versionDigits, '0')}.~`
  }

  part(objects: string, file: string, part: number): string {
    return `${this.#prefix}${objects}/${file}.${String(part).padStart(partDigits, '0')}`
  }

  /** What a name of a listing says; undefined: it is none of ours. */
  read(name: string): Listed | undefined {
    const found = /^(\d{20})\.(delta|snapshot)\.json$/.exec(name.slice(this.versions.length))
    return found ? { version: Number(found[1]), kind: found[2] as Kind } : undefined
  }
}

/** The beginning of the names of an upload's objects: no two uploads share one. */
export function freshObjects({ version, kind }: Listed): string {
  const drawn = randomBytes(6).toString('hex')
  return `${kind}s/${String(version).padStart(versionDigits, '0')}-${drawn}`
}

export function describe(objects: string, text: string): string {
  return `${JSON.stringify({ format, objects, partBytes, delta: text })}\n`
}

function checkFormat(fields: Record<string, unknown>): string | undefined {
  const { objects, partBytes: bytes, delta } = fields
  if (typeof objects !== 'string' || !/^[a-z]+\/[0-9a-f-]+$/.test(objects)) return 'objects'
  if (!Number.isInteger(bytes) || Number(bytes) < 1 || Number(bytes) > mostPartBytes) {
    return 'partBytes'
  }
  return typeof delta === 'string' ? undefined : 'delta'
}

function checkFiles(files: readonly DeltaFile[], part: number): void {
  const names = new Set<string>()
  let parts = 0
  for (const { name, bytes } of files) {
    if (!/^[\w-][\w.-]*$/.test(name)) throw new Error('a file outside of its folder')
    if (names.has(name) || name === 'delta.json') throw new Error(`two files of one name: ${name}`)
    names.add(name)
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error('a file without a length')
    parts += Math.ceil(bytes / part)
  }
  if (parts > mostParts) throw new Error(`more than ${mostParts} parts`)
}

/**
 * Reads a description; ERR_CORRUPTION when it is none, ERR_UNSUPPORTED when it is of another
 * format. The checksum of the delta's own is left to whoever applies it.
 *
 * @param where - names it in errors
 */
export function parseDescription(where: string, bytes: Uint8Array): Description {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (fields['format'] !== format) {
      const which = String(fields['format'])
      throw callError('ERR_UNSUPPORTED', `'${where}' is of format ${which}, this is ${format}`)
    }
    const wrong = checkFormat(fields)
    if (wrong !== undefined) throw new Error(`wrong ${wrong}`)
    const text = fields['delta'] as string
    const delta = parseDelta(text)
    const part = fields['partBytes'] as number
    checkFiles(delta.files, part)
    return { ...delta, objects: fields['objects'] as string, partBytes: part, text }
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw error
    throw callError('ERR_CORRUPTION', `'${where}' is no description of a version: ${error}`)
  }
}

/** A bucket and a prefix. */
export interface Place {
  readonly bucket: string
  readonly prefix: string
}

/** `s3://bucket/prefix`, or undefined when it is no such thing. */
export function placeOf(url: string): Place | undefined {
  const found = /^s3:\/\/([^/\0]+)(?:\/([^\0]*))?$/.exec(url)
  if (found === null) return undefined
  return { bucket: found[1] as string, prefix: (found[2] ?? '').replace(/\/+$/, '') }
}
