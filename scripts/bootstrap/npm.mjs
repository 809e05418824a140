// node_modules: installed from the lock file when it is not what the lock file says.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnvironment, Fatal, root, run, say } from '../common/process.mjs'

const kLock = join(root, 'package-lock.json')
const kInstalled = join(root, 'node_modules/.package-lock.json')
const kHash = join(root, 'node_modules/.hotrow-lock-hash')

const lockHash = () => createHash('sha256').update(readFileSync(kLock)).digest('hex')

/** True when node_modules was made from this lock file; a lock file merely touched counts too. */
export function packagesInstalled() {
  if (!existsSync(kInstalled)) return false
  if (statSync(kInstalled).mtimeMs >= statSync(kLock).mtimeMs) return true
  return existsSync(kHash) && readFileSync(kHash, 'utf8') === lockHash()
}

export async function ensureNpmPackages() {
  if (packagesInstalled()) return
  say('installing npm packages from package-lock.json')
  // The npm that runs us, when it is npm; else the one on PATH.
  const self = process.env.npm_execpath ?? ''
  const [command, ...prefix] = self.endsWith('npm-cli.js') ? [process.execPath, self] : ['npm']
  const npm = (...args) =>
    run(command, [...prefix, ...args, '--include=dev', '--include=optional', '--no-progress'], {
      env: cleanEnvironment(),
    })
  let { code } = await npm('ci')
  if (code !== 0) {
    say('npm ci failed, trying npm install with the same lock file')
    code = (await npm('install', '--no-save')).code
  }
  if (code !== 0) throw new Fatal('npm could not install the packages (see above)')
  writeFileSync(kHash, lockHash())
}
