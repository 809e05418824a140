// Command-line options of the examples: node:util's parser, with help and one-line errors.

import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface Option {
  /** What stands for the value in the help; without it the option is a flag. */
  readonly value?: string
  readonly help: string
}

export interface Command {
  readonly command: string
  readonly about: string
  readonly options: Readonly<Record<string, Option>>
}

export type Values<C extends Command> = {
  readonly [K in keyof C['options']]?: C['options'][K] extends { value: string } ? string : boolean
}

/** Reads the options of this process. Prints help and ends on --help; ends on a wrong option. */
export function readOptions<const C extends Command>(command: C): Values<C> {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } })
    if (values['help'] === true) {
      process.stdout.write(helpText(command))
      process.exit(0)
    }
    return values as Values<C>
  } catch (error) {
    // Node adds advice about dashes in a second sentence; the first says what is wrong.
    return wrongUsage((error as Error).message.split('. ')[0] ?? 'wrong options')
  }
}

/** The whole number that `text` is, or `fallback` without it. Ends the process when below 1. */
export function positiveInteger(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  return integerBetween(name, text, 1, Number.MAX_SAFE_INTEGER)
}

/** The whole number that `text` is. Ends the process when it is not from `least` to `most`. */
export function integerBetween(name: string, text: string, least: number, most: number): number {
  const number = Number(text.replaceAll('_', ''))
  if (text !== '' && Number.isSafeInteger(number) && number >= least && number <= most) {
    return number
  }
  const range = most === Number.MAX_SAFE_INTEGER ? `above ${least - 1}` : `from ${least} to ${most}`
  return wrongUsage(`--${name}: expected a whole number ${range}, received '${text}'`)
}

/** The names in a comma-separated list. Ends the process when one is not among `allowed`. */
export function choices<T extends string>(
  name: string,
  text: string | undefined,
  allowed: readonly T[],
): readonly T[] {
  if (text === undefined) return allowed
  const chosen = text.split(',').map((word) => allowed.find((value) => value === word.trim()))
  if (chosen.every((value) => value !== undefined)) return chosen
  return wrongUsage(`--${name}: expected some of ${allowed.join(',')}, received '${text}'`)
}

/** The path `text` is. Ends the process, before any work is done, when its folder is missing. */
export function outputPath(name: string, text: string): string {
  const path = resolve(text)
  if (existsSync(dirname(path))) return path
  return wrongUsage(`--${name}: no such folder: ${dirname(path)}`)
}

/** Says in one line what is wrong with the options, and ends the process with code 2. */
export function wrongUsage(message: string): never {
  process.stderr.write(`${message} (see --help)\n`)
  process.exit(2)
}

/** Says in one line why the work could not be done, and ends the process with code 1. */
export function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

function helpText({ command, about, options }: Command): string {
  const lines = Object.entries({ ...options, help: { help: 'this text' } }).map(
    ([name, option]: [string, Option]) => {
      const left = option.value === undefined ? `--${name}` : `--${name} ${option.value}`
      return `  ${left.padEnd(20)} ${option.help}`
    },
  )
  return `${about}\n\nUsage: ${command} [options]\n\n${lines.join('\n')}\n`
}
