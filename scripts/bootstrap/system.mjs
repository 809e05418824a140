// The Debian packages that the build needs: finds what is missing and installs it when it may.
// A package counts as present when the file or program that the build uses is there, so other
// distributions and hand-made installations pass too.

import { existsSync } from 'node:fs'
import { cleanEnvironment, Fatal, run, say, succeeds, which } from '../common/process.mjs'

const header = (path) =>
  ['/usr/include', '/usr/local/include', ...(process.env.CPATH ?? '').split(':')].some(
    (folder) => folder !== '' && existsSync(`${folder}/${path}`),
  )

// Debian name, is it there?, and what needs it: 'build', 'build-optional', 'test', 'bench' or
// 'bench-table', of which only 'build' and 'test' must be there.
const kPackages = [
  ['cmake', () => which('cmake'), 'build'],
  ['g++', () => which('c++', 'g++', 'clang++'), 'build'],
  ['ninja-build', () => which('ninja', 'make'), 'build'],
  ['libhwy-dev', () => header('hwy/highway.h'), 'build'],
  ['libxxhash-dev', () => header('xxhash.h'), 'build'],
  ['librocksdb-dev', () => header('rocksdb/db.h'), 'build'],
  ['nlohmann-json3-dev', () => header('nlohmann/json.hpp'), 'build'],
  ['libasio-dev', () => header('asio.hpp'), 'build'],
  ['libssl-dev', () => header('openssl/ssl.h'), 'build'],
  ['libucx-dev', () => header('ucp/api/ucp.h'), 'build-optional'],
  ['libgtest-dev', () => header('gtest/gtest.h'), 'test'],
  ['redis-server', () => which('redis-server'), 'bench'],
  ['etcd-server', () => which('etcd'), 'bench'],
  ['libtbb-dev', () => header('tbb/concurrent_hash_map.h'), 'bench-table'],
  ['libcuckoo-dev', () => header('libcuckoo/cuckoohash_map.hh'), 'bench-table'],
  ['libboost1.81-dev', () => header('boost/unordered/unordered_flat_map.hpp'), 'bench-table'],
  ['libgrpc++-dev', () => header('grpcpp/grpcpp.h'), 'bench-table'],
  ['libprotobuf-dev', () => header('google/protobuf/message.h'), 'bench-table'],
  ['protobuf-compiler', () => which('protoc'), 'bench-table'],
  ['protobuf-compiler-grpc', () => which('grpc_cpp_plugin'), 'bench-table'],
  ['libabsl-dev', () => header('absl/container/flat_hash_map.h'), 'bench-table'],
]

/** The command that installs packages and its first arguments; undefined where none may. */
export function packageManager() {
  if (process.env.HOTROW_NO_APT === '1' || !which('apt-get')) return undefined
  if (process.getuid?.() === 0) return ['apt-get']
  if (which('sudo') && succeeds('sudo', ['-n', 'true'])) return ['sudo', '-n', 'apt-get']
  return undefined
}

/** Installs Debian packages; true when apt says that it did. */
export async function installPackages(names) {
  const manager = packageManager()
  if (!manager) return false
  const [command, ...prefix] = manager
  const env = { ...cleanEnvironment(), DEBIAN_FRONTEND: 'noninteractive' }
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=300']
  const apt = (...args) => run(command, [...prefix, ...options, ...args], { env })
  const install = ['install', '-y', '--no-install-recommends', ...names]
  say(`installing Debian packages: ${names.join(' ')}`)
  if ((await apt(...install)).code === 0) return true
  say('apt-get failed, trying again with fresh package lists')
  await apt('update')
  return (await apt(...install)).code === 0
}

/** Makes the packages for `needs` present, or throws `Fatal` with the command that would. */
export async function ensurePackages(needs) {
  const missing = () => kPackages.filter(([, there, need]) => needs.has(need) && !there())
  const names = missing().map(([name]) => name)
  if (names.length === 0) return
  await installPackages(names)
  const left = missing()
  const isRequired = ([, , need]) => need === 'build' || need === 'test'
  const required = left.filter(isRequired).map(([name]) => name)
  const optional = left.filter((each) => !isRequired(each)).map(([name]) => name)
  if (optional.length > 0) say(`goes on without optional packages: ${optional.join(' ')}`)
  if (required.length === 0) return
  if (!which('apt-get')) {
    say(`not found: ${required.join(' ')} (Debian's names); the build may fail without them`)
    return
  }
  const list = required.join(' ')
  throw new Fatal(`missing Debian packages: ${list}. Run: sudo apt-get install -y ${list}`)
}
