// Errors: what a StoreError carries, what it is an instance of, and how messages name values.

import { open, StoreError } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floats, keys } from './support/arrays.ts'
import { errorAtOnce, errorOf } from './support/refusals.ts'

const test = suite('errors')

test('a StoreError carries code, scope, outcome and whether to try again', async () => {
  await using store = await open(':memory:', { memoryBytes: 2 ** 24 })
  const table = await store.table('t', { dim: 2 })
  const seen = [
    await errorOf(() => table.push(keys(1), floats(Number.NaN, 0))),
    await errorOf(() => store.dense('d', { shape: [2 ** 23] })),
    await errorOf(() => store.table('t', { dim: 3 })),
    await errorOf(() => store.drop('none')),
  ] as StoreError[]
  assert.equal(
    seen.map(({ code, scope, outcome, retryable }) => [code, scope, outcome, retryable]),
    [
      ['ERR_INVALID_ARGUMENT', 'call', 'none', false],
      ['ERR_CAPACITY', 'call', 'none', true],
      ['ERR_CONFLICT', 'call', 'none', false],
      ['ERR_NOT_FOUND', 'call', 'none', false],
    ],
  )
  await store.close()
  const late = (await errorOf(() => table.lookup(keys(1)))) as StoreError
  assert.equal(
    [late.code, late.scope, late.outcome, late.retryable],
    ['ERR_CLOSED', 'store', 'none', false],
  )
})

test('errors from the core and from TypeScript are one class', async () => {
  const store = await open(':memory:')
  const native = await errorOf(() => store.drop('none'))
  await store.close()
  const ours = await errorOf(() => store.tables())
  for (const error of [native, ours]) {
    assert.instance(error, StoreError)
    assert.instance(error, Error)
    assert.is(error.name, 'StoreError')
    assert.is(error.constructor, StoreError)
    assert.match(error.stack ?? '', /^StoreError: /)
  }
})

test('traits of the same code are the same from the core and from TypeScript', async () => {
  const store = await open(':memory:')
  const table = await store.table('t', { dim: 1 })
  await store.drop('t')
  const dropped = (await errorOf(() => table.lookup(keys(1)))) as StoreError
  await store.close()
  const closed = (await errorOf(() => table.lookup(keys(1)))) as StoreError
  const traits = ({ code, scope, outcome, retryable }: StoreError) => ({
    code,
    scope,
    outcome,
    retryable,
  })
  assert.equal(traits(dropped), traits(closed))
})

test('instanceof holds for a StoreError of another copy of the package', () => {
  const stranger = Object.assign(new Error('x'), { [Symbol.for('hotrow.StoreError')]: true })
  assert.ok(stranger instanceof StoreError)
  for (const other of [new Error('x'), {}, null, undefined, 'ERR_CLOSED', 5]) {
    assert.not.ok((other as unknown) instanceof StoreError, String(other))
  }
})

test('messages name what was received: its class, or its value', async () => {
  await using store = await open(':memory:')
  const table = await store.table('t', { dim: 1 })
  class Custom {}
  const shown: [unknown, string][] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [true, 'true'],
    [7n, '7'],
    [() => 1, 'a function'],
    [Symbol('x'), 'a symbol'],
    [[1n], 'Array'],
    [{}, 'Object'],
    [new Custom(), 'Custom'],
    [Object.create(null), 'an object'],
    [new Float64Array(1), 'Float64Array'],
    [new Date(0), 'Date'],
  ]
  for (const [value, name] of shown) {
    for (const call of [
      () => table.lookup(value as never),
      () => table.lookupSync(value as never),
    ]) {
      assert.is(errorAtOnce(call).message, `keys: expected BigUint64Array, received ${name}`)
    }
  }
})

test('messages cut long texts', () => {
  const { message } = errorAtOnce(() => open(':memory:', { ['x'.repeat(1000)]: 1 } as never))
  assert.ok(message.length < 240, message)
})

test.run()
