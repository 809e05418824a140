// Runs child programs for the scripts, and says what they do. `say` and `run` print to stderr:
// stdout belongs to the program that the user asked for.

import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** The end of a child's output that is kept to judge why it failed. */
const kKeptBytes = 4 * 1024 * 1024

export function say(text) {
  process.stderr.write(`hotrow: ${text}\n`)
}

/** Ends the program with a message for the user and no stack. */
export class Fatal extends Error {}

/** The first of `names` found on PATH, or undefined. */
export function which(...names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK)
        return join(folder, name)
      } catch {
        // Not in this folder.
      }
    }
  }
  return undefined
}

/** True when the command can be run and succeeds; prints nothing. */
export function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/**
 * Runs a command without stdin. Its output goes to our stderr unless `quiet`.
 * Resolves to `{ code, output, seconds, timedOut }`; `output` is the end of what it printed, and a
 * command that ran past `timeoutMs` is killed with everything it started.
 */
export function run(command, args, options = {}) {
  const { env = process.env, cwd = root, quiet = false, timeoutMs = 0 } = options
  const started = performance.now()
  return new Promise((done) => {
    const stdio = ['ignore', 'pipe', 'pipe']
    const child = spawn(command, args, { cwd, env, stdio, detached: timeoutMs > 0 })
    let output = ''
    let timedOut = false
    const keep = (chunk) => {
      if (!quiet) process.stderr.write(chunk)
      output = (output + chunk).slice(-kKeptBytes)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const timer = timeoutMs > 0 && setTimeout(expire, timeoutMs)
    function expire() {
      timedOut = true
      process.kill(-child.pid, 'SIGKILL')
    }
    function finish(code, signal) {
      clearTimeout(timer)
      const seconds = (performance.now() - started) / 1000
      done({ code: code ?? 1, signal, output, seconds, timedOut })
    }
    child.on('error', (error) => {
      output += String(error)
      finish(127)
    })
    child.on('close', finish)
  })
}

/** Our environment without what the surrounding `npm run` put there about its own script. */
export function cleanEnvironment() {
  const dropped = /^npm_(package_|lifecycle_|command$|config_local_prefix$|config_omit$)/
  const entries = Object.entries(process.env).filter(([name]) => !dropped.test(name))
  return Object.fromEntries(entries)
}
