/** Which native store is behind a store, and which stores are of other processes. */
import type { NativeStore } from './addon.ts'
import { callError, type StoreError, typeError } from './errors.ts'
import type { Store } from './store.ts'

/** What is to be done when a store is closed, of those where something is. */
export const closers: WeakMap<Store, () => void> = new WeakMap()
export const nativeStores: WeakMap<Store, NativeStore> = new WeakMap()

/** The native side of a store, for a server of it. */
export function nativeStoreOf(argument: string, store: Store): NativeStore {
  const native = nativeStores.get(store)
  if (native === undefined) throw typeError(argument, 'a Store', store)
  return native
}

/** What opening the folder of a connected store gives: it is the server's. */
export function remoteOnly(path: string): StoreError {
  return callError('ERR_UNSUPPORTED', `${path} is a store of servers: its folder is theirs`)
}
