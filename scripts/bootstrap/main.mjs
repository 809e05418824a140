// The order of the bootstrap's steps, and the short way out when there is nothing to do: a second
// `npm start` compares digests only, without asking CMake, tsc or npm anything.

import { Fatal, say, which } from '../common/process.mjs'
import { buildBenchTable, buildNative, buildTypeScript } from './build.mjs'
import { upToDate } from './inputs.mjs'
import { withLock } from './lock.mjs'
import { ensureNpmPackages, packagesInstalled } from './npm.mjs'
import { ensurePackages } from './system.mjs'

function nothingToDo({ tests, bench, benchTable }) {
  if (bench && !(which('redis-server') && which('etcd'))) return false
  if (!packagesInstalled() || !upToDate('types') || !upToDate('addon')) return false
  if (benchTable && !upToDate('benchTable')) return false
  return !tests || upToDate('tests')
}

async function makeReady({ tests, bench, benchTable }) {
  const needs = new Set(['build', 'build-optional'])
  if (tests) needs.add('test')
  // Tests of the tier on Redis and of placements in etcd skip themselves without them.
  if (bench || tests) needs.add('bench')
  if (benchTable) needs.add('bench-table')
  await ensurePackages(needs)
  await ensureNpmPackages()
  await buildNative(tests)
  if (benchTable) await buildBenchTable()
  await buildTypeScript()
}

/** Makes the checkout ready, or prints one line of what to do and exits with 1. */
export async function bootstrap(args) {
  const options = {
    tests: args.includes('--test'),
    bench: args.includes('--bench'),
    benchTable: args.includes('--bench-table'),
  }
  if (nothingToDo(options)) return
  const started = Date.now()
  try {
    await withLock(() => makeReady(options))
    say(`ready after ${((Date.now() - started) / 1000).toFixed(1)} s`)
  } catch (error) {
    if (!(error instanceof Fatal)) throw error
    say(error.message)
    process.exitCode = 1
  }
}
