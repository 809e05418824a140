/**
 * Lookups of one or several tables behind one tier: their arguments, the version that they share,
 * and the caller's arrays, which are filled when everything is there or not at all.
 */
import { types } from 'node:util'
import { checkLookupOptions, countOf, type LookupWishes } from '../checks.ts'
import { callError, rangeError, StoreError, typeError } from '../errors.ts'
import type { LookupOptions } from '../options.ts'
import { unlessAborted } from '../pages.ts'
import type { Local } from './misses.ts'
import type { RemoteTier } from './tier.ts'

/** The method by which a lookup asks a view; not for users. */
export const ask: unique symbol = Symbol('ask')

/** A table with a tier behind it. */
export interface View {
  readonly tier: RemoteTier
  /** Asks the local table, at this very moment, and then the tier. */
  [ask](wish: Wish, version: number | undefined): Promise<Local>
}

/** A view's part of a lookup. */
export interface Wish extends LookupWishes {
  readonly view: View
  readonly keys: BigUint64Array
}

/** Times a lookup begins anew because its version went away under it. */
const mostRestarts = 3

/** All views at one version of their tier; caller's arrays are filled when all of it is there. */
export async function lookupTogether(
  wishes: readonly Wish[],
  signal: AbortSignal | undefined,
  out?: Float32Array,
): Promise<Float32Array[]> {
  // Callers may refill their arrays at once.
  const own = wishes.map((wish) => ({ ...wish, keys: wish.keys.slice() }))
  const tier = wishes[0]?.view.tier
  for (let restarts = 0; ; restarts++) {
    const version = tier?.version
    try {
      const locals = Promise.all(own.map((wish) => wish.view[ask](wish, version)))
      const done = await unlessAborted(locals, signal)
      deliver(wishes, done, out)
      return done.map(({ rows }) => rows)
    } catch (error) {
      const gone = error instanceof StoreError && error.code === 'ERR_NOT_FOUND'
      if (!gone || tier?.version === version || restarts === mostRestarts) throw error
    }
  }
}

function deliver(wishes: readonly Wish[], locals: readonly Local[], out?: Float32Array): void {
  const [first] = locals
  if (out !== undefined && out.length !== first?.rows.length) throw resizedError('out')
  for (const [i, { found }] of wishes.entries()) {
    if (found !== undefined && found.length !== locals[i]?.found.length) throw resizedError('found')
  }
  if (out !== undefined) out.set((first as Local).rows)
  for (const [i, { found }] of wishes.entries()) found?.set((locals[i] as Local).found)
}

function resizedError(argument: string): StoreError {
  const text = `${argument}: was detached or resized while the lookup was under way`
  return callError('ERR_INVALID_ARGUMENT', text)
}

/** A view's part of a lookup; `argument` names the request, if there are several. */
export function checkWish(
  view: View,
  keys: BigUint64Array,
  options: LookupOptions | undefined,
  also: readonly string[],
  argument: string,
): Wish {
  const name = argument === '' ? '' : `${argument} `
  const wishes = checkLookupOptions(options, also, name)
  const count = countOf(`${name}keys`, keys, 'BigUint64Array')
  const { found } = wishes
  if (found !== undefined) {
    const what = argument === '' ? 'found' : `${argument} options.found`
    if (!types.isUint8Array(found)) throw typeError(what, 'Uint8Array', found)
    const bytes = Math.ceil(count / 8)
    if (found.length !== bytes) throw rangeError(what, `${bytes} bytes`, found.length)
  }
  return { ...wishes, view, keys }
}

/** An array for `values` values, apart from `found`. */
export function checkOut(out: Float32Array, values: number, found: Uint8Array | undefined): void {
  if (!types.isFloat32Array(out)) throw typeError('out', 'Float32Array', out)
  if (out.length !== values) throw rangeError('out', `${values} values`, out.length)
  if (found === undefined || found.buffer !== out.buffer) return
  const apart =
    found.byteOffset >= out.byteOffset + out.byteLength ||
    out.byteOffset >= found.byteOffset + found.byteLength
  if (!apart) throw rangeError('found', 'memory apart from out', 'memory of out')
}
