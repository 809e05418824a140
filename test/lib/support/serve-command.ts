// `hotrow serve` in a process of its own.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const kProgram = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

export interface ServeCommand {
  child: ChildProcess
  address: string
  /** Its exit code and what it printed. */
  ended: Promise<[number | null, string]>
  said: () => string
}

/** Runs the command; resolves once it serves. */
export async function serveCommand(path: string, ...args: string[]): Promise<ServeCommand> {
  const child = spawn(process.execPath, [kProgram, 'serve', path, '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  const ended = new Promise<[number | null, string]>((done) => {
    child.on('close', (code) => done([code, out]))
  })
  const address = await new Promise<string>((done, fail) => {
    child.stderr.setEncoding('utf8').on('data', (text) => fail(new Error(String(text))))
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text
      const [, found] = /"address": "([^"]+)"/.exec(out) ?? []
      if (found !== undefined) done(found)
    })
  })
  return { child, address, ended, said: () => out }
}
