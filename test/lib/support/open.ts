// `open` for tests that hold of every kind of store. With HOTROW_TEST_REMOTE=1 a store in memory is
// behind a server in this process, and what the test gets is the one that connects to it; with
// HOTROW_TEST_REMOTE=tls over TLS, by a pre-shared key; with HOTROW_TEST_REMOTE=shm over shared
// memory.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, open as openLocal, type Store, type StoreOptions, serve } from 'hotrow'

/** Whether the store of a test is behind a server. */
export const remote = process.env['HOTROW_TEST_REMOTE'] !== undefined

const tls: { tls?: { pskFile: string } } =
  process.env['HOTROW_TEST_REMOTE'] === 'tls' ? { tls: { pskFile: newKey() } } : {}

const transport = process.env['HOTROW_TEST_REMOTE'] === 'shm' ? 'shm' : 'tcp'

/** A file of this process's own with a key. */
function newKey(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'key')
  writeFileSync(file, `test:${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  const access = { identities: { test: { role: 'admin' } } }
  writeFileSync(`${file}.access`, JSON.stringify(access), { mode: 0o600 })
  return file
}

async function served(options: StoreOptions | undefined): Promise<Store> {
  const behind = await openLocal(':memory:', options)
  const { tls: client } = tls
  const server = await serve(
    behind,
    client ? { tls: { ...client, accessFile: `${client.pskFile}.access` } } : { transport },
  )
  const store = await connect(server.address, { ...tls, transport })
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
