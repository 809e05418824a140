// `npm run build:gpu`: the library of the GPU tier, for every architecture, beside the addon. Needs
// nvcc, but no device; without nvcc it says so and leaves everything else as it is.

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnvironment, root, run, say, which } from './common/process.mjs'

const kBuild = 'build-cuda-all'

async function build() {
  if (!which('nvcc')) {
    say('there is no nvcc here: the GPU library is left out, and everything else works without')
    return 0
  }
  const env = { ...cleanEnvironment(), CMAKE_BUILD_PARALLEL_LEVEL: '2' }
  const configure = ['-S', '.', '-B', kBuild, '-DCMAKE_BUILD_TYPE=Release', '-DHOTROW_CUDA=ON']
  say('building the GPU library for every architecture: some minutes')
  for (const args of [configure, ['--build', kBuild, '--target', 'hotrow_cuda']]) {
    const result = await run('cmake', args, { env, quiet: true })
    if (result.code !== 0) {
      console.log(result.output)
      return 1
    }
  }
  const library = 'libhotrow_cuda.so'
  copyFileSync(join(root, kBuild, library), join(root, 'build/Release', library))
  say(`build/Release/${library} is there; \`npx hotrow doctor\` says what it finds`)
  return 0
}

process.exitCode = await build()
