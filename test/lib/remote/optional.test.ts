// ioredis is an optional peer: nobody loads it who does not open a tier on Redis.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, runProgram } from '../support/children.ts'

const test = suite('optional')

const kHook = `
  export async function resolve(specifier, context, next) {
    if (specifier !== 'ioredis') return next(specifier, context)
    throw new Error("Cannot find package 'ioredis'")
  }
`

test('without ioredis everything works but the tier on Redis, which says so', async () => {
  const ended = await runProgram(`
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(kHook)}))
    const { open, redisClusterTier, tieredTable } = await import('hotrow')
    const store = await open(':memory:')
    const table = await store.table('t', { dim: 1 })
    const tier = { getMany: async () => [], setMany: async () => {}, close: async () => {} }
    await tieredTable(table, tier).lookup(new BigUint64Array(0))
    await store.close()
    const options = { nodes: [{ host: '127.0.0.1', port: 1 }], prefix: 'a' }
    const error = await redisClusterTier(options).catch((error) => error)
    console.log(error.code, error.message)
  `)
  assertEnded(ended, 0)
  assert.match(ended.output, /^ERR_UNSUPPORTED redisClusterTier needs ioredis: npm install ioredis/)
})

test.run()
