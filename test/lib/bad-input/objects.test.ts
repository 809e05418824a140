// Objects that are not what they seem: wrong receivers, imitations, hostile getters and proxies,
// and the native classes behind ours. All of it ends in an ordinary error.

import { Dense, hashKey, open, Store, Table, type TableOptions } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, floats, keys } from '../support/arrays.ts'
import {
  errorAtOnce,
  errorOf,
  type Fixture,
  openFixture,
  picture,
  refuses,
} from '../support/refusals.ts'

const test = suite<Fixture>('bad objects')

test.before.each(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after.each((fixture) => fixture.store.close())

const one = keys(1)
const row = floats(1, 1, 1, 1)
const bag = Uint32Array.of(0, 1)

/** Methods of a class's prototype with arguments that are right. */
const kMethods: [object, string, unknown[]][] = [
  [Store.prototype, 'table', ['x', { dim: 1 }]],
  [Store.prototype, 'dense', ['x', { shape: [1] }]],
  [Store.prototype, 'tables', []],
  [Store.prototype, 'drop', ['table']],
  [Store.prototype, 'lookupAll', [[]]],
  [Store.prototype, 'pushAll', [[]]],
  [Store.prototype, 'lookupConcat', [[]]],
  [Store.prototype, 'lookupConcatSync', [[]]],
  [Store.prototype, 'stats', []],
  [Store.prototype, 'close', []],
  [Table.prototype, 'lookup', [one]],
  [Table.prototype, 'lookupSync', [one]],
  [Table.prototype, 'lookupPooled', [one, bag]],
  [Table.prototype, 'push', [one, row]],
  [Table.prototype, 'pushPooled', [one, bag, row]],
  [Table.prototype, 'update', [one, row]],
  [Table.prototype, 'erase', [one]],
  [Table.prototype, 'stats', []],
  [Table.prototype, 'lookupState', [one]],
  [Table.prototype, 'reserve', [10]],
  [Table.prototype, 'evict', [1]],
  [Table.prototype, 'shrink', [{}]],
  [Table.prototype, 'decay', [1]],
  [Table.prototype, 'setScores', [one, floats(1)]],
  [Table.prototype, 'takeEvicted', []],
  [Dense.prototype, 'pull', []],
  [Dense.prototype, 'push', [filled(6, 1)]],
  [Dense.prototype, 'update', [filled(6, 1)]],
]

test('methods refuse other receivers', async (fixture) => {
  const { store, table, dense } = fixture
  const before = await picture(fixture)
  for (const [prototype, name, parameters] of kMethods) {
    const method = (prototype as Record<string, (...all: unknown[]) => unknown>)[name]
    assert.type(method, 'function', name)
    const imitation = Object.create(prototype)
    const isOwn = (x: object) => Object.getPrototypeOf(x) === prototype
    const proxy = new Proxy([store, table, dense].find(isOwn) as object, {})
    const others = [store, table, dense].filter((x) => !isOwn(x))
    for (const receiver of [undefined, null, 5, {}, prototype, imitation, proxy, ...others]) {
      const error = await errorOf(async () => method?.apply(receiver, parameters))
      assert.instance(error, TypeError, `${name} on ${typeof receiver}: ${error}`)
    }
  }
  assert.is(store.closed, false)
  assert.equal(await picture(fixture), before)
})

test('a Store, Table or Dense made by hand is of no use and no danger', async (fixture) => {
  const { store } = fixture
  type Any = new (...all: unknown[]) => Store & Table & Dense
  const before = await picture(fixture)
  for (const native of [undefined, null, {}, 5, Object.create(null)]) {
    const owner = { closed: false }
    const ownStore = new (Store as unknown as Any)('x', native)
    const ownTable = new (Table as unknown as Any)('x', { dim: 1 }, native, owner)
    const ownDense = new (Dense as unknown as Any)('x', { shape: [1] }, native, owner)
    const calls = [
      () => ownStore.stats(),
      () => ownStore.drop('table'),
      () => ownStore.close(),
      () => ownTable.lookup(one),
      () => ownTable.lookupSync(one),
      () => ownDense.pull(),
      () => store.lookupAll([[ownTable, one]]),
      () => store.pushAll([[ownTable, one, row]]),
      () => store.lookupConcat([[ownTable, one]]),
      () => store.lookupConcatSync([[ownTable, one]]),
      () => ownTable.stateValues,
      () => ownTable.evict(1),
      () => ownTable.scan().next(),
      () => ownTable.evicted().next(),
    ]
    for (const call of calls) await errorOf(async () => call())
  }
  assert.equal(await picture(fixture), before)
})

/** Values whose every property throws, or lies. */
function hostileValues(): [string, unknown][] {
  const boom = () => {
    throw new Error('boom')
  }
  const traps = new Proxy({}, { get: () => boom })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const liar = (name: unknown) => ({ constructor: Object.assign(() => 1, {}), name })
  const named = Object.defineProperty(() => 1, 'name', { get: boom })
  return [
    ['an object whose constructor throws', Object.defineProperty({}, 'constructor', { get: boom })],
    ['an object whose class throws for its name', { constructor: named }],
    ['an object with a symbol for a name', { constructor: { name: Symbol('x') } }],
    ['an object with a number for a constructor', { constructor: 5 }],
    ['an object that says it is a string', liar('BigUint64Array')],
    ['a proxy whose every trap throws', new Proxy({}, traps)],
    ['a revoked proxy', revoked.proxy],
    ['an object that throws when made a string', { toString: boom, [Symbol.toPrimitive]: boom }],
    ['an object with an array behind it', Object.create(one)],
    [
      'a function that says it is an array',
      Object.setPrototypeOf(() => 1, BigUint64Array.prototype),
    ],
  ]
}

for (const [what, value] of hostileValues()) {
  test(`${what} is no array of any kind`, async (fixture) => {
    const { store, table, dense } = fixture
    const wrong = value as never
    const calls = [
      () => table.lookup(wrong),
      () => table.lookup(one, { out: wrong }),
      () => table.lookupSync(wrong),
      () => table.lookupSync(one, wrong),
      () => table.lookup(one, { found: wrong }),
      () => table.lookup(one, { missing: wrong }),
      () => table.lookup(one, { relaxed: wrong }),
      () => table.lookupState(one, { found: wrong }),
      () => table.setScores(one, wrong),
      () => table.evict(wrong),
      () => table.scan({ signal: wrong }),
      () => store.lookupConcat([[table, one, { found: wrong }]]),
      () => store.lookupConcatSync([[table, one]], { out: wrong }),
      () => store.lookupConcatSync([[table, one]], { stride: wrong }),
      () => store.table('new', { dim: 1, admission: { kind: wrong } }),
      () => store.table('new', { dim: 1, eviction: { policy: wrong } }),
      () => table.lookupPooled(one, wrong),
      () => table.lookupPooled(one, bag, { weights: wrong }),
      () => table.push(one, wrong),
      () => table.pushPooled(one, bag, wrong),
      () => table.erase(wrong),
      () => dense.update(wrong),
      () => store.pushAll([[table, one, wrong]]),
      () => store.lookupAll([[table, wrong]]),
      () => store.lookupAll([[wrong, one]]),
      () => store.drop(wrong),
      () => open(wrong),
      () => hashKey(wrong),
    ]
    for (const call of calls) {
      await refuses(fixture, call, { kind: 'TypeError', message: /: expected .*, received / })
    }
  })
}

test('getters that throw pass their error on and leave nothing behind', async (fixture) => {
  const { store, table } = fixture
  const before = await picture(fixture)
  const boom = () => {
    throw new Error('boom')
  }
  const throwing = (name: string) =>
    Object.defineProperty({}, name, { get: boom, enumerable: true })
  const calls = [
    () => table.lookup(one, throwing('out')),
    () => table.lookup(one, throwing('found')),
    () => table.lookupSync(one, row, throwing('missing')),
    () => table.shrink(throwing('belowNorm')),
    () => table.scan(throwing('rows')),
    () => store.lookupConcat([[table, one, throwing('repeat')]]),
    () => store.lookupConcatSync([[table, one]], throwing('out')),
    () => store.table('new', { dim: 1, eviction: throwing('policy') as never }),
    () => store.table('new', { dim: 1, admission: throwing('minCount') }),
    () => table.lookupPooled(one, bag, throwing('mode')),
    () => table.lookupPooled(one, bag, throwing('weights')),
    () => store.table('new', throwing('dim') as TableOptions),
    () => store.table('new', { dim: 1, optimizer: throwing('kind') as never }),
    () => store.dense('new', throwing('shape') as never),
    () => open(':memory:', throwing('threads')),
    () => store.pushAll(Object.defineProperty([[table, one, row]], 0, { get: boom }) as never),
  ]
  for (const call of calls) assert.is(errorAtOnce(call).message, 'boom')
  assert.equal(await picture(fixture), before)
})

test('an option that changes from one reading to the next is read once', async ({ store }) => {
  let dim = 4
  const options = {
    get dim() {
      return dim++
    },
  }
  const table = await store.table('new', options)
  assert.is((await table.lookup(one)).length, table.dim)
  assert.is(table.lookupSync(one).length, table.dim)
})

test('a getter that spoils the other arguments is no danger', async (fixture) => {
  const { store, table } = fixture
  const spoilt = keys(1, 2)
  const detaching = {
    get out(): Float32Array {
      structuredClone(spoilt.buffer, { transfer: [spoilt.buffer as ArrayBuffer] })
      return new Float32Array(8)
    },
  }
  const refusal = { kind: 'TypeError', message: /^keys: .* detached$/ } as const
  await refuses(fixture, () => table.lookup(spoilt, detaching), refusal)
  const place = {
    get found(): Uint8Array {
      structuredClone(fresh.buffer, { transfer: [fresh.buffer as ArrayBuffer] })
      return new Uint8Array(1)
    },
  }
  const fresh = keys(1, 2)
  const second = { kind: 'TypeError', message: /^requests\[0\] keys: .* detached$/ } as const
  await refuses(fixture, () => store.lookupConcat([[table, fresh, place]]), second)
  const closing = {
    get out(): Float32Array {
      void store.close()
      return new Float32Array(4)
    },
  }
  const late = await errorOf(() => table.lookup(one, closing))
  assert.is(late.code, 'ERR_CLOSED')
})

test('an array with methods of its own is read as an array', async ({ store, table }) => {
  class Odd extends Array {
    override map(): never {
      throw new Error('called')
    }
    static override get [Symbol.species](): never {
      throw new Error('called')
    }
    override [Symbol.iterator](): never {
      throw new Error('called')
    }
  }
  const requests = new Odd(1)
  requests[0] = [table, one]
  const [found] = await store.lookupAll(requests as never)
  assert.equal(found, table.lookupSync(one))
})

/** A native object, caught where a promise looks for its `then`. */
async function catchNative(call: () => Promise<unknown>): Promise<Record<string, never>> {
  const caught: unknown[] = []
  Object.defineProperty(Object.prototype, 'then', {
    configurable: true,
    get() {
      if (/^Native/.test(this?.constructor?.name)) caught.push(this)
      return undefined
    },
  })
  try {
    await call()
  } finally {
    Reflect.deleteProperty(Object.prototype, 'then')
  }
  return caught[0] as Record<string, never>
}

test('native classes cannot be constructed or used with other receivers', async (fixture) => {
  const { store } = fixture
  const before = await picture(fixture)
  const natives = [
    await catchNative(() => store.table('table', fixture.table.options)),
    await catchNative(() => store.dense('dense', fixture.dense.options as never)),
  ]
  for (const native of natives) {
    const type = native?.['constructor'] as unknown as new (...all: unknown[]) => unknown
    assert.match(type.name, /^Native(Table|Dense)$/)
    for (const parameters of [[], [{}], [undefined, {}], [native], [5n, 5n]]) {
      assert.match(errorAtOnce(() => new type(...parameters)).message, /constructor call/)
    }
    for (const name of Object.getOwnPropertyNames(type.prototype)) {
      if (name === 'constructor') continue
      const method = type.prototype[name] as (...all: unknown[]) => unknown
      for (const receiver of [undefined, {}, type.prototype, Object.create(native), store]) {
        assert.instance(
          errorAtOnce(() => method.call(receiver, one, row)),
          TypeError,
        )
      }
    }
  }
  assert.equal(await picture(fixture), before)
})

test.run()
