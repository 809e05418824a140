// ccache, where it is installed: a second build of the same sources, in another clone too, takes
// less time. Nothing needs it.

import { root, which } from './process.mjs'

/**
 * What the environment of a CMake build says of it; nothing where it is not there, or the user has
 * chosen a launcher. Paths are hashed as seen from the checkout, so that clones share what they
 * have.
 */
export function compilerCache() {
  if (!which('ccache') || process.env.CMAKE_CXX_COMPILER_LAUNCHER !== undefined) return {}
  return {
    CMAKE_CXX_COMPILER_LAUNCHER: 'ccache',
    CCACHE_BASEDIR: root,
    CCACHE_NOHASHDIR: '1',
    // What CMake's precompiled headers need.
    CCACHE_SLOPPINESS: 'pch_defines,time_macros',
  }
}
