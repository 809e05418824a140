// A guest's first file system: the test program with its libraries, UCX, Soft-RoCE's driver, a
// shell, and the kernel's modules. Nothing is compressed, since the guest's processor is slow.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { root, succeeds, which } from '../common/process.mjs'

const kLibraries = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib']
/** What is loaded by name: no program's list of libraries has it. */
const kLoaded = ['libucm.so.0', 'libucp.so.0', 'ucx/libuct_ib.so.0', 'ucx/libuct_cma.so.0']
const kDriver = /^librxe-rdmav\d+\.so$/
const kTexts = {
  '/etc/libibverbs.d/rxe.driver': 'driver rxe\n',
  '/etc/passwd': 'root:x:0:0::/tmp:/bin/sh\n',
  '/etc/hosts': '127.0.0.1 localhost\n',
  '/etc/nsswitch.conf': 'hosts: files\npasswd: files\n',
}

export class MissingFile extends Error {}

function library(name) {
  const found = kLibraries.map((folder) => join(folder, name)).find(existsSync)
  if (!found) throw new MissingFile(`there is no ${name}`)
  return found
}

function driver() {
  for (const folder of kLibraries.map((each) => join(each, 'libibverbs'))) {
    const name = existsSync(folder) && readdirSync(folder).find((each) => kDriver.test(each))
    if (name) return join(folder, name)
  }
  throw new MissingFile('libibverbs has no driver for Soft-RoCE')
}

/** The libraries that a program or library needs, with the loader. */
function needs(file) {
  const { stdout } = spawnSync('ldd', [file], { encoding: 'utf8' })
  return [...(stdout ?? '').matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path)
}

/**
 * Makes the image at `path` with `folder` as its room to work in; `tests` are the names of those
 * that a guest runs which is not told a filter. Throws `MissingFile` where
 * something of the system is not there, which no package of `needs.mjs` brought.
 */
export function makeImage({ path, folder, kernel, program, tests }) {
  const put = (from, to = from) => {
    mkdirSync(dirname(join(folder, to)), { recursive: true })
    copyFileSync(from, join(folder, to))
  }
  mkdirSync(folder, { recursive: true })
  // As Debian has it, so that files are found by either name.
  for (const name of ['bin', 'lib', 'lib64']) {
    mkdirSync(join(folder, 'usr', name), { recursive: true })
    symlinkSync(`usr/${name}`, join(folder, name))
  }
  const loaded = [...kLoaded.map(library), driver()]
  const rdma = which('rdma')
  const needed = [program, rdma, ...loaded].flatMap(needs)
  for (const file of [...needed, ...loaded]) put(file)
  put(rdma, '/bin/rdma')
  put(program, '/bin/hotrow_tests')
  succeeds('strip', [join(folder, 'bin/hotrow_tests')])
  put(which('busybox'), '/bin/busybox')
  put(join(root, 'scripts/rdma/init'), '/init')
  chmodSync(join(folder, 'init'), 0o755)
  const texts = { ...kTexts, '/etc/tests': `${tests.join('\n')}\n` }
  for (const [name, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  symlinkSync('busybox', join(folder, 'bin/sh'))
  mkdirSync(join(folder, 'modules'))
  for (const name of readdirSync(kernel).filter((each) => each.endsWith('.ko'))) {
    copyFileSync(join(kernel, name), join(folder, 'modules', name))
  }
  const packed = spawnSync('sh', ['-c', 'find . | cpio -o -H newc --quiet > "$0"', path], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (packed.status !== 0) throw new Error(`cpio failed: ${packed.stderr}`)
}
