// The transport's tests over RDMA without a card for it: Debian's kernel under QEMU, with Soft-RoCE
// (rdma_rxe) in the guest, so that real verbs are called. Counts only: a guest is far too slow for
// times to mean anything.
//
//   npm run test:rdma
//
// One guest runs the tests of links, stores and tickets over RDMA; then a client in a guest uses a
// server in another, joined by a socket. Fails when a test fails or did not run. What cannot be
// had here, QEMU, the kernel or Debian's packages, is said, and counts as skipped. The last line is
// `N passed, N failed[, N skipped]`.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './common/process.mjs'
import { add, closingLine, noTotals } from './common/totals.mjs'
import { MissingFile, makeImage } from './rdma/image.mjs'
import { guestKernel, missingPackages } from './rdma/needs.mjs'
import { runApart, runTogether, testsTogether } from './rdma/tests.mjs'

const kProgram = join(root, 'build/hotrow_tests')

/** Runs everything in `folder`; resolves to totals, or to the reason why nothing was run. */
async function everything(folder) {
  if (process.arch !== 'x64') return `this is ${process.arch}; the guests are x64`
  if (!existsSync(kProgram)) return 'build/hotrow_tests is not built: npm run test:rdma builds it'
  const missing = await missingPackages()
  if (missing.length > 0) {
    return `not installed, and cannot be: apt-get install ${missing.join(' ')}`
  }
  const kernel = await guestKernel()
  if (kernel.skip) return kernel.skip
  const image = join(folder, 'image')
  makeImage({
    ...{ path: image, folder: join(folder, 'root'), kernel: kernel.folder, program: kProgram },
    tests: testsTogether(kProgram),
  })
  const guest = { kernel: kernel.folder, image, program: kProgram }
  const totals = noTotals()
  for (const work of [runTogether, runApart]) add(totals, await work(guest, folder))
  return totals
}

const folder = mkdtempSync(join(tmpdir(), 'hotrow-rdma-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const result = await everything(folder).catch((error) => {
  if (error instanceof MissingFile) return error.message
  throw error
})
if (typeof result === 'string') {
  console.log(`rdma=skipped (${result})`)
  console.log(closingLine({ ...noTotals(), skipped: 1 }))
} else {
  if (result.failed > 0 || result.passed === 0) process.exitCode = 1
  console.log(closingLine(result))
}
