#!/usr/bin/env node
/**
 * `hotrow`: finds the sub-command, reads its flags and runs it. Exit codes: 0 done, 1 failed, 2
 * wrong usage.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Call, type Command, type Flag, UsageError } from './command.ts'
import { commands } from './commands.ts'
import { Output } from './output.ts'

const common: Readonly<Record<string, Flag>> = {
  json: { type: 'boolean', help: 'results as JSON on stdout, errors as JSON on stderr' },
  help: { type: 'boolean', help: 'this' },
}

function usageOf({ name, positionals }: Command): string {
  return `hotrow ${[name, ...positionals].join(' ')}`
}

function flagLines(flags: Readonly<Record<string, Flag>>): string[] {
  const heads = Object.entries(flags).map(([name, flag]) => `--${name} ${flag.value ?? ''}`.trim())
  const width = Math.max(...heads.map((head) => head.length))
  return Object.values(flags).map((flag, i) => `  ${heads[i]!.padEnd(width)}  ${flag.help}`)
}

function helpOf(command: Command): string {
  return [
    `usage: ${usageOf(command)} [options]`,
    '',
    `${command.summary}`,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'options:',
    ...flagLines({ ...command.flags, ...common }),
    '',
  ].join('\n')
}

function overview(): string {
  const width = Math.max(...commands.map((command) => usageOf(command).length))
  return [
    'usage: hotrow COMMAND ... [options]',
    '',
    'commands:',
    ...commands.map((command) => `  ${usageOf(command).padEnd(width)}  ${command.summary}`),
    '',
    '`hotrow COMMAND --help` explains one; `hotrow --version` tells the version.',
    'Exit codes: 0 done, 1 failed, 2 wrong usage.',
    '',
  ].join('\n')
}

function version(): string {
  const path = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

/** The flags and positionals of a command's arguments. */
function parse(command: Command, args: string[]) {
  const flags = { ...command.flags, ...common }
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple = false }]) => [name, { type, multiple }]),
  )
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true })
  } catch (error) {
    // The first sentence says what is wrong; the others tell of what does not apply here.
    throw new UsageError((error as Error).message.split(/\. |\n/)[0])
  }
}

function positionalsOf(command: Command, given: string[]): string[] {
  const missing = command.positionals[given.length]
  if (missing !== undefined) throw new UsageError(`${missing} is missing`)
  const more = given[command.positionals.length]
  if (more !== undefined) throw new UsageError(`what is '${more}'?`)
  return given
}

async function runCommand(command: Command, args: string[], output: Output): Promise<void> {
  const { values, positionals } = parse(command, args)
  if (values['help'] === true) {
    process.stdout.write(helpOf(command))
    return
  }
  const abort = new AbortController()
  const interrupt = (): void => abort.abort(new Error('interrupted'))
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  const call: Call = {
    positionals: positionalsOf(command, positionals),
    text: (flag) => values[flag] as string | undefined,
    texts: (flag) => (values[flag] ?? []) as string[],
    given: (flag) => values[flag] === true,
    output,
    signal: abort.signal,
  }
  try {
    await command.run(call)
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

async function run(args: string[], output: Output): Promise<void> {
  const [name, ...rest] = args
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(overview())
    return
  }
  if (name === '--version') {
    process.stdout.write(`${version()}\n`)
    return
  }
  const command = commands.find((each) => each.name === name)
  if (command !== undefined) return runCommand(command, rest, output)
  const known = commands.map((each) => each.name).join(', ')
  throw new UsageError(
    name === undefined
      ? `expected a command: ${known}`
      : `there is no command '${name}': expected ${known}`,
  )
}

/** Runs the command line; resolves with the exit code. */
async function main(args: string[]): Promise<number> {
  const output = new Output(args.includes('--json'))
  try {
    await run(args, output)
    return 0
  } catch (error) {
    const { message, code } = error as Error & { code?: string }
    // The library's own checks of arguments are of what was typed here.
    const typed = error instanceof TypeError || error instanceof RangeError
    const usage = error instanceof UsageError || (typed && code === 'ERR_INVALID_ARGUMENT')
    output.error(message, usage ? 'ERR_USAGE' : code)
    if (usage && !output.json) {
      const name = commands.find((each) => each.name === args[0])?.name
      process.stderr.write(`Try: hotrow ${name === undefined ? '' : `${name} `}--help\n`)
    }
    return usage ? 2 : 1
  }
}

// Who reads our output may stop early, as `head` does.
process.stdout.on('error', () => {})
process.exitCode = await main(process.argv.slice(2))
