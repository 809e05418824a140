// What guests need of Debian: packages, and a kernel, of which as much as Soft-RoCE uses is kept in
// build/rdma. The kernel's flavour for clouds has no Soft-RoCE, so it is the general one.

import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { installPackages, packageManager } from '../bootstrap/system.mjs'
import { root, run, say, succeeds, which } from '../common/process.mjs'
import { sources } from '../common/sources.mjs'

const kFolder = 'build/rdma'
const kMostDownloadMs = 120_000

/** In the order in which they must be loaded; those that the kernel has built in are no files. */
const kModules = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
  ...['failover', 'net_failover', 'virtio_net', 'udp_tunnel', 'ip6_udp_tunnel', 'crc32_generic'],
  ...['configfs', 'ib_core', 'ib_uverbs', 'ib_cm', 'iw_cm', 'rdma_cm', 'rdma_ucm', 'rdma_rxe'],
]

function nameOfPackage() {
  const { stdout } = spawnSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8' })
  return /Depends: (linux-image-\S+)/.exec(stdout ?? '')?.[1]
}

/**
 * Moves what is used of an unpacked package to `folder`; a folder that is there is complete.
 * Returns what the package lacks, if anything.
 */
function keep(unpacked, folder) {
  const [image] = sources([join(unpacked, 'boot')], /\/?vmlinuz-[^/]*$/)
  const modules = sources([join(unpacked, 'lib/modules')], /\.ko$/)
  const [list] = sources([join(unpacked, 'lib/modules')], /\/modules\.builtin$/)
  const builtIn = list ? readFileSync(join(root, list), 'utf8') : ''
  const has = (name) =>
    modules.some((each) => basename(each) === `${name}.ko`) || builtIn.includes(`/${name}.ko`)
  const missing = kModules.find((name) => !has(name))
  if (!image || missing) return missing ?? 'vmlinuz'
  const made = `${folder}.new`
  rmSync(join(root, made), { recursive: true, force: true })
  mkdirSync(join(root, made), { recursive: true })
  copyFileSync(join(root, image), join(root, made, 'vmlinuz'))
  for (const [index, name] of kModules.entries()) {
    const file = modules.find((each) => basename(each) === `${name}.ko`)
    const target = `${String(index).padStart(2, '0')}-${name}.ko`
    if (file) copyFileSync(join(root, file), join(root, made, target))
  }
  renameSync(join(root, made), join(root, folder))
}

/**
 * `{ folder }` with `vmlinuz` and the modules, whose names begin with their order, or `{ skip }`,
 * which says why there is none.
 */
export async function guestKernel() {
  let name = nameOfPackage()
  if (!name && packageManager()) {
    const [command, ...args] = packageManager()
    await run(command, [...args, '-q', 'update'], { quiet: true })
    name = nameOfPackage()
  }
  if (!name) return { skip: 'apt-cache knows no linux-image-amd64' }
  const folder = join(kFolder, name)
  if (existsSync(join(root, folder))) return { folder: join(root, folder) }
  if (process.env.HOTROW_NO_APT === '1') return { skip: `${name} is not there, nor to be fetched` }
  const work = join(kFolder, 'download')
  rmSync(join(root, work), { recursive: true, force: true })
  mkdirSync(join(root, work), { recursive: true })
  say(`downloading ${name}`)
  const options = { cwd: join(root, work), quiet: true, timeoutMs: kMostDownloadMs }
  try {
    const got = await run('apt-get', ['-q', 'download', name], options)
    if (got.code !== 0) return { skip: `${name} cannot be downloaded` }
    const [file] = readdirSync(join(root, work)).filter((each) => each.endsWith('.deb'))
    const unpacked = succeeds('dpkg-deb', ['-x', join(root, work, file), join(root, work)])
    if (!unpacked) return { skip: `${name} cannot be unpacked` }
    const missing = keep(work, folder)
    if (missing) return { skip: `${name} has no ${missing} as it is looked for` }
  } finally {
    rmSync(join(root, work), { recursive: true, force: true })
  }
  return { folder: join(root, folder) }
}

/** Debian's names of packages, and the programs by which one sees that they are there. */
const kPackages = [
  ['qemu-system-x86', () => which('qemu-system-x86_64')],
  ['busybox-static', () => which('busybox') && !succeeds('ldd', [which('busybox')])],
  ['iproute2', () => which('rdma')],
  ['cpio', () => which('cpio')],
  ['libucx0', () => there('libucp.so.0')],
  ['ibverbs-providers', () => there('libibverbs')],
]
const there = (name) => existsSync(join('/usr/lib/x86_64-linux-gnu', name))

/** The packages that are not there and cannot be installed. */
export async function missingPackages() {
  const missing = () => kPackages.filter(([, has]) => !has()).map(([name]) => name)
  if (missing().length > 0) await installPackages(missing())
  return missing()
}
