// Uses that must not compile: the compiler complains where a mark is missing, and where a marked
// line is accepted. Never run.

import {
  adagrad,
  constant,
  type Dense,
  ftrl,
  hashKey,
  keysOf,
  lion,
  momentum,
  open,
  type Store,
  StoreError,
  setSlotKey,
  sgd,
  slotKey,
  sum,
  type Table,
  uniform,
} from 'hotrow'

declare const store: Store
declare const table: Table
declare const dense: Dense
declare const keys: BigUint64Array
declare const floats: Float32Array
declare const offsets: Uint32Array
/** Takes what a wrong use would give, so that no promise floats. */
declare function drop(...values: unknown[]): void

export function stores(): void {
  // @ts-expect-error a path is needed
  drop(open())
  // @ts-expect-error a path is text
  drop(open(5))
  // @ts-expect-error no such option
  drop(open(':memory:', { memorybytes: 1 }))
  // @ts-expect-error a number of bytes
  drop(open(':memory:', { memoryBytes: '1GB' }))
  // @ts-expect-error left out, not undefined
  drop(open(':memory:', { threads: undefined }))
  // @ts-expect-error read only
  store.closed = true
  // @ts-expect-error a name is text
  drop(store.drop(table))
}

export function tables(): void {
  // @ts-expect-error dim is needed
  drop(store.table('t', {}))
  // @ts-expect-error a name is needed
  drop(store.table())
  // @ts-expect-error a number
  drop(store.table('t', { dim: '8' }))
  // @ts-expect-error no such optimizer
  drop(store.table('t', { dim: 8, optimizer: 'adagrad' }))
  // @ts-expect-error the call of adagrad is missing
  drop(store.table('t', { dim: 8, optimizer: adagrad }))
  // @ts-expect-error an optimizer is no initializer
  drop(store.table('t', { dim: 8, initializer: sum() }))
  // @ts-expect-error no such type
  drop(store.table('t', { dim: 8, valueType: 'f64' }))
  // @ts-expect-error no such choice
  drop(store.table('t', { dim: 8, rounding: 'up' }))
  // @ts-expect-error no such choice
  drop(store.table('t', { dim: 8, missing: 'nan' }))
  // @ts-expect-error no such choice
  drop(store.table('t', { dim: 8, nonFinite: 'ignore' }))
  // @ts-expect-error text is no seed
  drop(store.table('t', { dim: 8, seed: '1' }))
  // @ts-expect-error a shape is a dense parameter's
  drop(store.table('t', { dim: 8, shape: [8] }))
  // @ts-expect-error a group needs its slots
  drop(store.table('t', { dim: 8, groups: [{ frozen: true }] }))
  // @ts-expect-error misspelt
  drop(store.table('t', { dim: 8, groups: [{ firstSlot: 0, lastSlot: 1, freeze: true }] }))
  // @ts-expect-error groups come in an array
  drop(store.table('t', { dim: 8, groups: { firstSlot: 0, lastSlot: 1 } }))
  // @ts-expect-error read only
  table.dim = 8
}

export function batches(): void {
  // @ts-expect-error signed keys
  drop(table.lookup(new BigInt64Array(1)))
  // @ts-expect-error keys in a plain array
  drop(table.lookup([1n]))
  // @ts-expect-error rows of f64
  drop(table.push(keys, new Float64Array(1)))
  // @ts-expect-error gradients in a plain array
  drop(table.push(keys, [0.5]))
  // @ts-expect-error gradients are needed
  drop(table.push(keys))
  // @ts-expect-error out in an object
  drop(table.lookup(keys, floats))
  // @ts-expect-error out not in an object
  drop(table.lookupSync(keys, { out: floats }))
  // @ts-expect-error offsets of i32
  drop(table.lookupPooled(keys, new Int32Array(2)))
  // @ts-expect-error no such mode
  drop(table.lookupPooled(keys, offsets, { mode: 'max' }))
  // @ts-expect-error weights of f64
  drop(table.lookupPooled(keys, offsets, { weights: new Float64Array(1) }))
  // @ts-expect-error a rate in an object
  drop(table.push(keys, floats, 0.1))
  // @ts-expect-error misspelt
  drop(table.push(keys, floats, { learningrate: 0.1 }))
  // @ts-expect-error a lookup learns nothing
  drop(table.lookupPooled(keys, offsets, { learningRate: 0.1 }))
  // @ts-expect-error a push has no out
  drop(table.pushPooled(keys, offsets, floats, { out: floats }))
  // @ts-expect-error a result is no number
  drop(table.lookupSync(keys).toFixed())
}

export function upkeep(): void {
  // @ts-expect-error a policy is needed
  drop(store.table('t', { dim: 8, eviction: { maxRows: 5 } }))
  // @ts-expect-error no such policy
  drop(store.table('t', { dim: 8, eviction: { policy: 'fifo' } }))
  // @ts-expect-error misspelt
  drop(store.table('t', { dim: 8, eviction: { policy: 'lru', maxrows: 5 } }))
  // @ts-expect-error no such kind
  drop(store.table('t', { dim: 8, admission: { kind: 'rare' } }))
  // @ts-expect-error a policy in an object
  drop(store.table('t', { dim: 8, eviction: 'lru' }))
  // @ts-expect-error how many is needed
  drop(table.evict())
  // @ts-expect-error what to shrink is needed
  drop(table.shrink())
  // @ts-expect-error a norm in an object
  drop(table.shrink(0.5))
  // @ts-expect-error scores of f64
  drop(table.setScores(keys, new Float64Array(1)))
  // @ts-expect-error a number of rows
  drop(table.reserve(10n))
  // @ts-expect-error a scan begins at the beginning
  drop(table.scan({ from: 0n }))
  // @ts-expect-error a controller is no signal
  drop(table.scan({ signal: new AbortController() }))
  // @ts-expect-error pages are awaited
  for (const page of table.scan()) drop(page)
  // @ts-expect-error read only
  table.stateValues = 2
  // @ts-expect-error state has no missing
  drop(table.lookupState(keys, { missing: 0 }))
}

export function lookups(): void {
  // @ts-expect-error bits in bytes
  drop(table.lookup(keys, { found: new Uint32Array(1) }))
  // @ts-expect-error a value, not a row
  drop(table.lookup(keys, { missing: floats }))
  // @ts-expect-error out is the second argument
  drop(table.lookupSync(keys, floats, { out: floats }))
  // @ts-expect-error keys are needed
  drop(store.lookupConcat([[table]]))
  // @ts-expect-error where rows go is told by an object
  drop(store.lookupConcat([[table, keys, floats]]))
  // @ts-expect-error what it gives is its own
  drop(store.lookupConcat([[table, keys]], { out: floats }))
  // @ts-expect-error misspelt
  drop(store.lookupConcatSync([[table, keys, { column: 1 }]]))
}

export function several(): void {
  // @ts-expect-error keys are needed
  drop(store.lookupAll([[table]]))
  // @ts-expect-error gradients are needed
  drop(store.pushAll([[table, keys]]))
  // @ts-expect-error a rate in an object
  drop(store.pushAll([[table, keys, floats, 0.1]]))
  // @ts-expect-error a dense parameter is no table
  drop(store.pushAll([[dense, keys, floats]]))
  // @ts-expect-error requests come in an array
  drop(store.lookupAll([table, keys]))
}

export function denseParameters(): void {
  // @ts-expect-error a shape is needed
  drop(store.dense('w', {}))
  // @ts-expect-error a shape is an array
  drop(store.dense('w', { shape: 8 }))
  // @ts-expect-error nothing is missing in a dense parameter
  drop(store.dense('w', { shape: [8], missing: 'zeros' }))
  // @ts-expect-error slots are of keys
  drop(store.dense('w', { shape: [8], groups: [] }))
  // @ts-expect-error no keys
  drop(dense.push(keys, floats))
  // @ts-expect-error read only
  dense.shape.push(1)
}

export function optimizers(): void {
  drop(
    // @ts-expect-error misspelt
    sgd({ learningrate: 1 }),
    // @ts-expect-error sgd has no l1
    sgd({ l1: 1 }),
    // @ts-expect-error ftrl has no epsilon
    ftrl({ epsilon: 1 }),
    // @ts-expect-error momentum has no beta1
    momentum({ beta1: 0.9 }),
    // @ts-expect-error lion has no epsilon
    lion({ epsilon: 1 }),
    // @ts-expect-error sum has no options
    sum({ learningRate: 1 }),
    // @ts-expect-error a value is needed
    constant(),
    // @ts-expect-error a limit is needed
    uniform(),
  )
}

export function keyHelpers(): void {
  drop(
    // @ts-expect-error no key of null
    hashKey(null),
    // @ts-expect-error no key of floats
    hashKey(floats),
    // @ts-expect-error several values come in an array
    keysOf('a', 'b'),
    // @ts-expect-error a slot is a number
    slotKey('user', 1),
    // @ts-expect-error words are a Uint32Array
    setSlotKey(keys, 0, 1, 1),
  )
}

export function errors(error: StoreError): void {
  // @ts-expect-error no such code
  drop(error.code === 'ERR_NOPE')
  // @ts-expect-error read only
  error.code = 'ERR_CLOSED'
  drop(StoreError)
}
