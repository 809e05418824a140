// A server of a store in memory, in a process of its own: says its address to whoever started it,
// and ends with it.

import { open, serve } from 'hotrow'

const store = await open(':memory:')
const server = await serve(store)
process.once('disconnect', async () => {
  await server.stop()
  await store.close()
})
process.send?.(server.address)
