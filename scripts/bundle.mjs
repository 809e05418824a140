// node scripts/bundle.mjs FOLDER NAME: what a platform package holds. The built addon under NAME,
// and beside it the shared libraries that not every Linux has: RocksDB and what it needs, and in
// notices/ the licences of these and of OpenSSL, which is linked into the addon.

import { copyFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { root, run } from './common/process.mjs'

/** Part of every Linux with glibc that Node itself runs on. */
const kEverywhere =
  /^(linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s)[.-]/

const [folder, name] = process.argv.slice(2)
if (folder === undefined || name === undefined) {
  console.error('usage: node scripts/bundle.mjs FOLDER NAME')
  process.exit(2)
}
const addon = join(root, 'build/Release/hotrow.node')
mkdirSync(folder, { recursive: true })
copyFileSync(addon, join(folder, name))
// Tries the GPU library, which is there where nvcc was.
const probe = 'hotrow-gpu-probe'
for (const beside of [probe, 'libhotrow_cuda.so']) {
  const built = join(root, 'build/Release', beside)
  if (beside === probe || existsSync(built)) copyFileSync(built, join(folder, beside))
}
const { code, output } = await run('ldd', [addon], { quiet: true })
if (code !== 0) throw new Error(`ldd ${addon}: ${output}`)
mkdirSync(join(folder, 'notices'), { recursive: true })
/** The licence of a file of Debian's, as Debian has it. */
async function copyNotice(path) {
  const real = realpathSync(path)
  // Debian knows some by the folder that they had before /lib and /usr/lib were one.
  const owner = await run('dpkg', ['-S', real, real.replace(/^\/usr/, '')], { quiet: true })
  const [, debian] = /^([^:\s]+)(?::\S+)?: \//m.exec(owner.output) ?? []
  const notice = `/usr/share/doc/${debian}/copyright`
  if (debian === undefined || !existsSync(notice)) throw new Error(`${path}: no licence is found`)
  copyFileSync(notice, join(folder, 'notices', `${debian}.txt`))
}
await copyNotice('/usr/include/openssl/ssl.h')
for (const [, library, path] of output.matchAll(/^\s*(\S+) => (\S+) \(/gm)) {
  if (kEverywhere.test(library)) continue
  copyFileSync(realpathSync(path), join(folder, basename(library)))
  await copyNotice(path)
  console.log(`${library} from ${path}`)
}
