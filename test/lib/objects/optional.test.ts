// @aws-sdk/client-s3 is an optional peer: nobody loads it who has no object store.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, runProgram } from '../support/children.ts'

const test = suite('optional')

const kHook = `
  export async function resolve(specifier, context, next) {
    if (specifier !== '@aws-sdk/client-s3') return next(specifier, context)
    throw new Error("Cannot find package '@aws-sdk/client-s3'")
  }
`

test('without the client everything works but object stores, which say so', async () => {
  const ended = await runProgram(`
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(kHook)}))
    const { follow, open } = await import('hotrow')
    const store = await open(':memory:')
    await store.close()
    const error = await follow('s3://a/b', { path: '/nowhere' }).catch((error) => error)
    console.log(error.code, error.message)
  `)
  assertEnded(ended, 0)
  assert.match(ended.output, /^ERR_UNSUPPORTED an object store needs @aws-sdk\/client-s3: npm inst/)
})

test.run()
