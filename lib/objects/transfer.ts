/** Copies a delta's folder to an object store and back. */

import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { callError } from '../errors.ts'
import { parseDelta } from '../versions.ts'
import {
  type Description,
  describe,
  freshObjects,
  type Listed,
  type Names,
  parseDescription,
  partBytes,
} from './layout.ts'
import type { Objects } from './s3.ts'

/** A bucket, and the names of the objects below a prefix in it. */
export interface Remote {
  readonly objects: Objects
  readonly names: Names
}

/** Objects that are copied at once: memory is bounded by as many parts. */
const atOnce = 4

/** Does the jobs, some at once; the first failure ends it when those begun have ended. */
async function doAll(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  const queue = jobs.values()
  let failed = false
  const work = async (): Promise<void> => {
    for (const job of queue) {
      if (failed) return
      try {
        await job()
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, work))
  for (const each of ended) if (each.status === 'rejected') throw each.reason
}

interface Part {
  readonly file: string
  readonly part: number
  readonly offset: number
  readonly bytes: number
}

function partsOf(files: Description['files'], bytesEach: number): Part[] {
  return files.flatMap(({ name, bytes }) => {
    const count = Math.ceil(bytes / bytesEach)
    return Array.from({ length: count }, (_, part) => {
      const offset = part * bytesEach
      return { file: name, part, offset, bytes: Math.min(bytesEach, bytes - offset) }
    })
  })
}

async function uploadPart(
  { objects, names }: Remote,
  folder: string,
  upload: string,
  { file, part, offset, bytes }: Part,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(bytes)
  const handle = await open(join(folder, file), 'r')
  try {
    let filled = 0
    while (filled < bytes) {
      const { bytesRead } = await handle.read(buffer, filled, bytes - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    if (filled < bytes) throw callError('ERR_CORRUPTION', `'${join(folder, file)}' is too short`)
  } finally {
    await handle.close()
  }
  await objects.put(names.part(upload, file, part), buffer)
}

/**
 * Copies a folder that is a delta, its description last: before that nobody sees any of it.
 *
 * @param text - the delta's own description
 */
export async function upload(
  remote: Remote,
  which: Listed,
  folder: string,
  text: string,
): Promise<void> {
  const { files } = parseDelta(text)
  const its = freshObjects(which)
  const parts = partsOf(files, partBytes)
  await doAll(parts.map((part) => () => uploadPart(remote, folder, its, part)))
  const description = Buffer.from(describe(its, text))
  await remote.objects.put(remote.names.description(which), description)
}

/** The description of a version, or undefined when there is none; ERR_CORRUPTION: of another. */
export async function readDescription(
  { objects, names }: Remote,
  which: Listed,
): Promise<Description | undefined> {
  const key = names.description(which)
  const bytes = await objects.get(key)
  if (bytes === undefined) return undefined
  const its = parseDescription(objects.name(key), bytes)
  if (its.version === which.version) return its
  throw callError('ERR_CORRUPTION', `'${objects.name(key)}' is of version ${its.version}`)
}

/** Copies a version into a folder that is a delta then. Its checksums are not looked at. */
export async function download(
  { objects, names }: Remote,
  its: Description,
  folder: string,
): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const fetchPart = async ({ file, part, offset, bytes }: Part): Promise<void> => {
    const key = names.part(its.objects, file, part)
    const got = await objects.get(key)
    const damage = (what: string): Error =>
      callError('ERR_CORRUPTION', `'${objects.name(key)}' ${what}`)
    if (got === undefined) throw damage('is missing')
    if (got.length !== bytes) throw damage(`has ${got.length} bytes instead of ${bytes}`)
    const handle = await open(join(folder, file), 'r+')
    try {
      for (let done = 0; done < bytes; ) {
        const { bytesWritten } = await handle.write(got, done, bytes - done, offset + done)
        done += bytesWritten
      }
    } finally {
      await handle.close()
    }
  }
  for (const { name } of its.files) await writeFile(join(folder, name), '')
  await doAll(partsOf(its.files, its.partBytes).map((part) => () => fetchPart(part)))
  await writeFile(join(folder, 'delta.json'), its.text)
}

/** The versions after one that an object store has, rising; of one version the delta first. */
export async function listVersions({ objects, names }: Remote, after: number): Promise<Listed[]> {
  const keys = await objects.list(names.versions, names.after(after))
  return keys.flatMap((key) => names.read(key) ?? [])
}
