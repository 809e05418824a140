// `open` for tests that hold of every kind of store. With HOTROW_TEST_REMOTE=1 a store in memory is
// behind a server in this process, and what the test gets is the one that connects to it.

import { connect, open as openLocal, type Store, type StoreOptions, serve } from 'hotrow'

/** Whether the store of a test is behind a server. */
export const remote = process.env['HOTROW_TEST_REMOTE'] === '1'

async function served(options: StoreOptions | undefined): Promise<Store> {
  const behind = await openLocal(':memory:', options)
  const server = await serve(behind)
  const store = await connect(server.address)
  const close = store.close.bind(store)
  // Whoever closes the one is done with the other.
  let closing: Promise<void> | undefined
  store.close = () => {
    closing ??= close()
      .then(() => server.stop())
      .then(() => behind.close())
    return closing
  }
  return store
}

export function open(path: string, options?: StoreOptions): Promise<Store> {
  return remote && path === ':memory:' ? served(options) : openLocal(path, options)
}
