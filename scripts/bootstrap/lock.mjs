// One bootstrap at a time per checkout: they share build/, dist/ and node_modules/.
// The lock is a file that names its owner by pid and start time; it appears complete (linked, not
// written in place), and one whose owner is gone is taken over.

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root, say } from '../common/process.mjs'

const kPath = join(root, '.bootstrap.lock')
const kPollMs = 200

/** Tells a process from a later one with the same pid; '' where /proc is not there. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function alive(pid, started) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
  const now = startTime(pid)
  return now === '' || started === '' || now === started
}

function owner() {
  try {
    const text = readFileSync(kPath, 'utf8')
    const [pid, started = ''] = text.trim().split(' ')
    return { text, pid: Number(pid), alive: alive(Number(pid), started) }
  } catch {
    return undefined
  }
}

/** Moves a dead owner's lock aside; puts it back if another run has replaced it meanwhile. */
function removeStale(text) {
  const aside = `${kPath}.${process.pid}.stale`
  try {
    renameSync(kPath, aside)
    if (readFileSync(aside, 'utf8') !== text) linkSync(aside, kPath)
  } catch {
    // Another run was faster; the next try sees its lock.
  } finally {
    rmSync(aside, { force: true })
  }
}

function tryAcquire() {
  const own = `${kPath}.${process.pid}`
  writeFileSync(own, `${process.pid} ${startTime(process.pid)}\n`)
  try {
    linkSync(own, kPath)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return false
  } finally {
    rmSync(own, { force: true })
  }
}

/** Runs `work` while holding the lock, waiting for another run to finish first. */
export async function withLock(work) {
  let told = false
  while (!tryAcquire()) {
    const held = owner()
    if (held && !held.alive) {
      removeStale(held.text)
      continue
    }
    if (held && !told) say(`another run (pid ${held.pid}) is building, waiting for it`)
    told = true
    await sleep(kPollMs)
  }
  const release = () => rmSync(kPath, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    release()
    process.off('exit', release)
  }
}
