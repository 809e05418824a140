// `npm run build:gpu`: the library of the GPU tier, for every architecture, beside the addon. Needs
// nvcc, but no device; without nvcc it says so and leaves everything else as it is.

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildCuda } from './common/cuda.mjs'
import { root, say, which } from './common/process.mjs'

const kBuild = 'build-cuda-all'

async function build() {
  if (!which('nvcc')) {
    say('there is no nvcc here: the GPU library is left out, and everything else works without')
    return 0
  }
  say('building the GPU library for every architecture: some minutes')
  const built = await buildCuda(kBuild)
  if (built.code !== 0) {
    console.log(built.output)
    return 1
  }
  const library = 'libhotrow_cuda.so'
  copyFileSync(join(root, kBuild, library), join(root, 'build/Release', library))
  say(`build/Release/${library} is there; \`npx hotrow doctor\` says what it finds`)
  return 0
}

process.exitCode = await build()
