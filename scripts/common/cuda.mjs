// Builds hotrow_cuda, the library of the GPU tier, in a folder of its own. Needs nvcc, no device.

import { cleanEnvironment, run, which } from './process.mjs'

/** Every architecture, unless `architectures` says which. Resolves as run() does. */
export async function buildCuda(folder, architectures) {
  const env = { ...cleanEnvironment(), CMAKE_BUILD_PARALLEL_LEVEL: '2' }
  const configure = ['-S', '.', '-B', folder, '-DCMAKE_BUILD_TYPE=Release', '-DHOTROW_CUDA=ON']
  if (which('ninja')) configure.push('-G', 'Ninja')
  if (architectures) configure.push(`-DHOTROW_CUDA_ARCHITECTURES=${architectures}`)
  const configured = await run('cmake', configure, { env, quiet: true })
  if (configured.code !== 0) return configured
  return run('cmake', ['--build', folder, '--target', 'hotrow_cuda'], { env, quiet: true })
}
