/**
 * Files of exports and imports: errors that name them, writing under a temporary name until all is
 * whole, and reading that never asks for more than a file has.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { callError, type StoreError, type StoreErrorCode } from '../errors.ts'

/** A file that is not what it should be. */
export function malformed(where: string, what: string): StoreError {
  return callError('ERR_INVALID_ARGUMENT', `${where}: ${what}`)
}

export function conflict(message: string): StoreError {
  return callError('ERR_CONFLICT', message)
}

export function notFound(message: string): StoreError {
  return callError('ERR_NOT_FOUND', message)
}

export function unsupported(message: string): StoreError {
  return callError('ERR_UNSUPPORTED', message)
}

const codes: Record<string, StoreErrorCode> = {
  ENOENT: 'ERR_NOT_FOUND',
  ENOSPC: 'ERR_DISK_FULL',
  EDQUOT: 'ERR_DISK_FULL',
}

/** work(), with what the system says turned into a StoreError that names the file. */
export async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    if (syscall === undefined || code === undefined) throw error
    throw callError(codes[code] ?? 'ERR_IO_ERROR', `${path}: ${message}`)
  }
}

/** The bytes behind an array. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

/** A file under way. */
export class OutputFile {
  readonly path: string
  readonly #handle: FileHandle
  #size = 0

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  static create(path: string): Promise<OutputFile> {
    return naming(path, async () => new OutputFile(path, await open(path, 'wx+')))
  }

  get size(): number {
    return this.#size
  }

  /** Writes at the end. */
  async append(array: ArrayBufferView): Promise<void> {
    await this.writeAt(this.#size, bytesOf(array))
    this.#size += array.byteLength
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    await naming(this.path, async () => {
      for (let done = 0; done < bytes.length; ) {
        const rest = bytes.length - done
        done += (await this.#handle.write(bytes, done, rest, offset + done)).bytesWritten
      }
    })
  }

  /** Appends another file. */
  async appendFile(other: OutputFile): Promise<void> {
    const buffer = new Uint8Array(2 ** 20)
    for (let at = 0; at < other.size; ) {
      const wanted = Math.min(buffer.length, other.size - at)
      const { bytesRead } = await naming(other.path, () =>
        other.#handle.read(buffer, 0, wanted, at),
      )
      if (bytesRead === 0) throw callError('ERR_IO_ERROR', `${other.path}: became shorter`)
      await this.append(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
  }

  /** Ends writing; the bytes survive the death of the machine. */
  async sync(): Promise<void> {
    await naming(this.path, () => this.#handle.sync())
    await this.close()
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {})
  }
}

/** A folder beside the target in which an export grows until it is whole. */
export class Workplace {
  readonly target: string
  readonly #folder: string
  readonly #files: OutputFile[] = []

  private constructor(target: string, folder: string) {
    this.target = target
    this.#folder = folder
  }

  static async create(path: string): Promise<Workplace> {
    const target = resolve(path)
    const folder = join(
      dirname(target),
      `.${basename(target)}.tmp-${randomBytes(6).toString('hex')}`,
    )
    await naming(dirname(target), () => mkdir(folder))
    return new Workplace(target, folder)
  }

  async file(name: string): Promise<OutputFile> {
    const file = await OutputFile.create(join(this.#folder, name))
    this.#files.push(file)
    return file
  }

  /** Gives the target's place to one file of the folder. */
  async placeFile(file: OutputFile): Promise<void> {
    await file.sync()
    await naming(this.target, () => rename(file.path, this.target))
    await this.discard()
    await syncFolder(dirname(this.target))
  }

  /** Gives it to the folder with all its files. */
  async placeFolder(): Promise<void> {
    for (const file of this.#files) await file.sync()
    await syncFolder(this.#folder)
    await naming(this.target, () => rename(this.#folder, this.target))
    await syncFolder(dirname(this.target))
  }

  async discard(): Promise<void> {
    for (const file of this.#files) await file.close()
    await rm(this.#folder, { recursive: true, force: true }).catch(() => {})
  }
}

/** Makes renames in a folder durable, where the system knows how. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

/** Refuses a target at which a folder of files could not be placed. */
export async function expectFolderPlace(path: string): Promise<void> {
  const its = await stat(path).catch(() => undefined)
  if (its === undefined) return
  if (!its.isDirectory()) throw conflict(`${path}: is there already and is not a folder`)
  const names = await naming(path, () => readdir(path))
  if (names.length > 0) throw conflict(`${path}: the folder is there already and is not empty`)
}

/** Refuses a target that is a folder. */
export async function expectFilePlace(path: string): Promise<void> {
  const its = await stat(path).catch(() => undefined)
  if (its?.isDirectory()) throw conflict(`${path}: is a folder`)
}

/** A file to read from. */
export class InputFile {
  readonly path: string
  readonly size: number
  readonly #handle: FileHandle

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path
    this.size = size
    this.#handle = handle
  }

  static open(path: string): Promise<InputFile> {
    return naming(path, async () => {
      const handle = await open(path, 'r')
      const its = await handle.stat()
      if (its.isFile()) return new InputFile(path, its.size, handle)
      await handle.close()
      throw malformed(path, 'expected a file')
    })
  }

  /** Exactly `count` bytes, in memory of their own; the caller knows that the file has them. */
  async read(offset: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(count)
    await naming(this.path, async () => {
      for (let done = 0; done < count; ) {
        const { bytesRead } = await this.#handle.read(bytes, done, count - done, offset + done)
        if (bytesRead === 0) throw malformed(this.path, `ends at byte ${offset + done}`)
        done += bytesRead
      }
    })
    return bytes
  }

  /** What apache-arrow takes for an open file; closing it closes nothing. */
  asHandle(): object {
    const read = async (into: Uint8Array, offset: number, count: number, at: number) => {
      const wanted = Math.max(0, Math.min(count, this.size - at))
      into.set(await this.read(at, wanted), offset)
      if (wanted === 0) throw malformed(this.path, `ends at byte ${at}`)
      return { bytesRead: wanted, buffer: into }
    }
    return { fd: 0, stat: async () => ({ size: this.size }), read, close: async () => {} }
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {})
  }
}
