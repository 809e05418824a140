// Child processes: a program in JavaScript, run by Node in a process of its own, so that a crash or
// a hang costs one test.

import { spawn } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'

/** The root of the project. */
export const kRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  output: string
  seconds: number
}

export interface ChildOptions {
  env?: Record<string, string>
  timeoutMs?: number
  /** Sent once the program has printed the line `ready`. */
  signal?: NodeJS.Signals
}

/** Runs `node ...args` in the project's root until it ends or its time is up. */
export function runNode(args: readonly string[], options: ChildOptions = {}): Promise<Ended> {
  const { env = {}, timeoutMs = 30_000, signal } = options
  const started = performance.now()
  const child = spawn(process.execPath, args, {
    cwd: kRoot,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let sent = false
  const hear = (text: string): void => {
    output += text
    if (signal === undefined || sent || !/^ready$/m.test(output)) return
    sent = true
    child.kill(signal)
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear)
  const timer = setTimeout(() => {
    output += `\nstill running after ${timeoutMs} ms, killed`
    child.kill('SIGKILL')
  }, timeoutMs)
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code, endedBy) => {
      clearTimeout(timer)
      done({ code, signal: endedBy, output, seconds: (performance.now() - started) / 1000 })
    })
  })
}

/** As `runNode`, with the text of an ES module that may `import` from 'hotrow'. */
export function runProgram(text: string, options: ChildOptions = {}): Promise<Ended> {
  return runNode(['--expose-gc', '--input-type=module', '--eval', text], options)
}

/** The process ended with this code, by itself. */
export function assertEnded(ended: Ended, code: number): void {
  const { signal, output } = ended
  assert.is(`${ended.code} ${signal}`, `${code} null`, `ended otherwise:\n${output}`)
}
