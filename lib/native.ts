/** Finds and loads the addon; the only file that knows where the binary lies. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Addon } from './addon.ts'
import { newBytes, newFloats, newKeys } from './checks.ts'
import { StoreError } from './errors.ts'

const require = createRequire(import.meta.url)

/** Name of the platform package that carries a prebuilt binary, without its prefix. */
function triple(): string {
  const { platform, arch } = process
  if (platform === 'win32') return `win32-${arch}-msvc`
  if (platform !== 'linux') return `${platform}-${arch}`
  const report = process.report?.getReport() as unknown as
    | { header?: { glibcVersionRuntime?: string } }
    | undefined
  return `linux-${arch}-${report?.header?.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

function load(): Addon {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const chosen = process.env.HOTROW_NATIVE_PATH
  const attempts: [string, () => unknown][] = chosen
    ? [['HOTROW_NATIVE_PATH', () => require(chosen)]]
    : [
        ['this package', () => require('node-gyp-build')(root)],
        ['the platform package', () => require(`hotrow-${triple()}`)],
      ]
  const failures: string[] = []
  for (const [where, attempt] of attempts) {
    try {
      return attempt() as Addon
    } catch (error) {
      failures.push(`  ${where}: ${String((error as Error).message).split('\n')[0]}`)
    }
  }
  throw new Error(
    `hotrow: no native binary could be loaded.\n${failures.join('\n')}\n` +
      'In a clone of the repository `npm run build` makes one. In an installed package, delete ' +
      'node_modules and install again with `npm i --include=optional`.',
  )
}

/** The addon, ready for use. */
export const addon: Addon = load()
addon.initialize(StoreError, { newKeys, newFloats, newBytes })
