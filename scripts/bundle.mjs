// node scripts/bundle.mjs FOLDER NAME: what a platform package holds. The built addon under NAME,
// and beside it the shared libraries that not every Linux has: RocksDB and what it needs.

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
for (const [, library, path] of output.matchAll(/^\s*(\S+) => (\S+) \(/gm)) {
  if (kEverywhere.test(library)) continue
  copyFileSync(realpathSync(path), join(folder, basename(library)))
  console.log(`${library} from ${path}`)
}
