/** What a sub-command is, and what it is given to run. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from '../store.ts'
import { notFound } from '../transfer/files.ts'
import type { Output } from './output.ts'

/** Wrong usage: exit code 2. */
export class UsageError extends Error {}

export interface Flag {
  type: 'string' | 'boolean'
  /** May be given several times. */
  multiple?: boolean
  /** How its value is called in the help. */
  value?: string
  help: string
}

export interface Call {
  /** As many as the command asks for. */
  positionals: string[]
  text(flag: string): string | undefined
  texts(flag: string): string[]
  given(flag: string): boolean
  output: Output
  /** Aborts when the user interrupts. */
  signal: AbortSignal
}

export interface Command {
  name: string
  /** One line. */
  summary: string
  /** Names of the positional arguments, all of them needed. */
  positionals: readonly string[]
  flags: Readonly<Record<string, Flag>>
  /** What the summary leaves open, in lines of at most 80 columns. */
  details?: string
  run(call: Call): Promise<void>
}

/** The value of a flag that must be there. */
export function required(call: Call, flag: string): string {
  const value = call.text(flag)
  if (value === undefined) throw new UsageError(`--${flag} is missing`)
  return value
}

/** The value of a flag, one of `choices`. */
export function choice<T extends string>(
  call: Call,
  flag: string,
  choices: readonly T[],
): T | undefined {
  const value = call.text(flag)
  if (value === undefined || (choices as readonly string[]).includes(value)) return value as T
  throw new UsageError(`--${flag}: expected ${choices.join(', ')}, received '${value}'`)
}

export function number(call: Call, flag: string): number | undefined {
  const value = call.text(flag)
  if (value === undefined) return undefined
  const parsed = Number(value)
  if (value.trim() !== '' && Number.isFinite(parsed)) return parsed
  throw new UsageError(`--${flag}: expected a number, received '${value}'`)
}

/** The value of a flag that holds a JSON object. */
export function json(call: Call, flag: string): Record<string, unknown> | undefined {
  const value = call.text(flag)
  if (value === undefined) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch (error) {
    throw new UsageError(`--${flag}: expected JSON: ${(error as Error).message}`)
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Record<string, unknown>
  }
  throw new UsageError(`--${flag}: expected a JSON object`)
}

/** How a command opens its store. To read does not disturb whoever writes. */
export type Access = 'read' | 'write' | 'create'

/** work() with the store at a path, closed in the end. */
export async function withStore<T>(
  path: string,
  how: Access,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  // open() would make one, and who mistypes a path had better hear of it.
  const there = await access(join(path, 'rows', 'CURRENT')).then(
    () => true,
    () => false,
  )
  if (!there && how !== 'create') throw notFound(`${path}: there is no store`)
  // Here, so that help needs no binary.
  const { open } = await import('../open.ts')
  const store = await open(path, { readOnly: how === 'read' })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}
