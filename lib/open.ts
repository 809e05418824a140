/** `open`: the store at a path. */
import type { NativeStore } from './addon.ts'
import { completeStoreOptions } from './complete.ts'
import { callError, rangeError, typeError } from './errors.ts'
import { addon } from './native.ts'
import { remoteOnly } from './native-stores.ts'
import type { StoreOptions } from './options.ts'
import { Store } from './store.ts'

/**
 * Opens the store at `path`.
 *
 * `':memory:'` is a new private store; `':memory:NAME'` one that every opener of NAME in the
 * process shares. Any other path names one store for the process: opening it again, from a
 * worker thread too, gives the same native store until its last opener closes it. Its last version
 * is there at once; a table's rows are read when `table` first asks for it. What was not committed
 * is gone with the store. Rejects with ERR_LOCKED when another process has the path open for
 * writing. With `readOnly` each opener has a store of its own, at the version it asked for.
 *
 * Options must equal those of the first opener or be left out, else ERR_CONFLICT.
 */
export function open(path: string, options: StoreOptions = {}): Promise<Store> {
  if (typeof path !== 'string') throw typeError('path', 'a string', path)
  if (path === '' || path.includes('\0')) {
    throw rangeError('path', "a path without zero bytes, ':memory:' or ':memory:NAME'", path)
  }
  if (path.startsWith('hotrow://')) return Promise.reject(remoteOnly(path))
  const native = new addon.NativeStore(path, completeStoreOptions(options))
  return opened(native, path, options).catch(async (error) => {
    await native.close()
    throw error
  })
}

async function opened(native: NativeStore, path: string, options: StoreOptions): Promise<Store> {
  const { durable, readOnly = false } = options
  if (durable === 'push' && path.startsWith(':memory:')) {
    throw callError('ERR_UNSUPPORTED', "a store in memory cannot have durable 'push'")
  }
  const canonical = await native.open()
  const recovery = await native.recovered()
  return new Store(canonical, native, {
    commits: durable === 'push' && !readOnly,
    recovered: recovery.from === 0 ? undefined : Object.freeze(recovery),
  })
}
