// Guarantee E10 for the process: whatever ends it, and whatever is under way then, it ends as any
// Node process would: with the exit code that was asked for, without a native crash, and by itself
// when nothing is left to do.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assertEnded, type ChildOptions, type Ended, runProgram } from '../lib/support/children.ts'

const test = suite('exit')

const kBegin = `
  import { open, sum } from 'hotrow'
  const store = await open(':memory:exit')
  const table = await store.table('t', { dim: 16, optimizer: sum() })
  const dense = await store.dense('d', { shape: [1000], optimizer: sum() })
  const many = BigUint64Array.from({ length: 20_000 }, (_, i) => BigInt(i))
  const ones = new Float32Array(many.length * 16).fill(1)
  const out = new Float32Array(ones.length)
  let settled = 0
  const note = () => { settled++ }
  await table.push(many, ones)
`

/** What is under way when the end comes: calls that nobody has awaited. */
const kStates: Record<string, string> = {
  idle: '',
  lookups: `for (let i = 0; i < 20; i++) table.lookup(many, i % 2 ? { out } : {}).then(note)`,
  pushes: `for (let i = 0; i < 20; i++) table.push(many, ones).then(note)`,
  everything: `
    for (let i = 0; i < 8; i++) {
      table.push(many, ones).then(note)
      table.lookup(many, { out }).then(note)
      table.push(many, new Float32Array(ones.length).fill(NaN)).catch(note)
      dense.push(ones.subarray(0, 1000)).then(note)
      store.pushAll([[table, many, ones]]).then(note)
      store.tables().then(note)
      open(':memory:').then(note)
    }`,
  closing: `
    for (let i = 0; i < 10; i++) table.push(many, ones).then(note)
    store.close().then(note)`,
  dropping: `
    for (let i = 0; i < 10; i++) table.push(many, ones).then(note)
    store.drop('t').then(note)
    table.lookup(many).catch(note)`,
}
const kSettled: Record<string, number> = {
  ...{ idle: 0, lookups: 20, pushes: 20, everything: 56, closing: 11, dropping: 12 },
}

interface Ending {
  program: string
  check: (ended: Ended, state: string) => void
  options?: ChildOptions
}

const endsWith = (code: number) => (ended: Ended) => assertEnded(ended, code)

const kEndings: Record<string, Ending> = {
  'comes to its end': {
    program: `process.on('exit', () => console.log('settled', settled))`,
    check(ended, state) {
      assertEnded(ended, 0)
      assert.match(ended.output, new RegExp(`^settled ${kSettled[state]}$`, 'm'))
    },
  },
  'calls process.exit': { program: 'process.exit(3)', check: endsWith(3) },
  'calls process.exit in a while': {
    program: 'setTimeout(() => process.exit(4), 3)\nsetInterval(() => {}, 1000)',
    check: endsWith(4),
  },
  throws: { program: `throw new Error('on purpose')`, check: endsWith(1) },
  'leaves a rejection unhandled': {
    program: `void Promise.reject(new Error('on purpose'))`,
    check: endsWith(1),
  },
  'leaves a rejection of ours unhandled': {
    program: `void store.drop('none')\nvoid table.push(many, ones)`,
    check(ended) {
      assertEnded(ended, 1)
      assert.match(ended.output, /ERR_(NOT_FOUND|CLOSED)/)
    },
  },
  'is sent SIGTERM': {
    program: `console.log('ready')\nsetInterval(() => {}, 1000)`,
    options: { signal: 'SIGTERM' },
    check: ({ signal, output }) => assert.is(signal, 'SIGTERM', output),
  },
  'handles SIGTERM by process.exit': {
    program: `
      process.on('SIGTERM', () => process.exit(5))
      console.log('ready')
      setInterval(() => {}, 1000)`,
    options: { signal: 'SIGTERM' },
    check: endsWith(5),
  },
}

for (const [ending, { program, check, options }] of Object.entries(kEndings)) {
  test(`a process that ${ending} is well, whatever is under way`, async () => {
    const states = Object.entries(kStates)
    const ended = async ([state, calls]: [string, string]): Promise<void> =>
      check(await runProgram(`${kBegin}\n${calls}\n${program}`, options), state)
    // Two at once: each is one thread most of the time.
    for (let i = 0; i < states.length; i += 2) await Promise.all(states.slice(i, i + 2).map(ended))
  })
}

/** Programs that must come to their end with exit code 0 and print `well`. */
const kPrograms: Record<string, string> = {
  'a store left open does not keep the process alive': `${kBegin}\nconsole.log('well')`,
  'stores left open by the dozen do not either': `
    import { open } from 'hotrow'
    for (let i = 0; i < 60; i++) await (await open(':memory:')).table('t', { dim: 4 })
    console.log('well')`,
  'a call keeps the process alive until it has ended': `${kBegin}
    table.push(many, ones).then(() => table.lookup(many)).then((rows) => {
      if (rows[0] === 2) console.log('well')
    })`,
  'closing twice, at once and later': `${kBegin}
    await Promise.all([store.close(), store.close()])
    await store.close()
    console.log('well')`,
  'lost handles and collections in any order': `
    import { open } from 'hotrow'
    for (let i = 0; i < 100; i++) {
      let store = await open(i % 2 ? ':memory:' : ':memory:gc')
      let table = await store.table('t' + i, { dim: 8 })
      const push = table.push(BigUint64Array.of(1n), new Float32Array(8))
      if (i % 3 === 0) store = undefined
      if (i % 5 === 0) table = undefined
      if (i % 7 === 0) gc()
      if (i % 4 === 0) await push
      if (i % 11 === 0) await store?.close()
    }
    gc()
    await new Promise(setImmediate)
    gc()
    console.log('well')`,
  'calls in an exit handler': `${kBegin}
    process.on('exit', () => {
      table.push(many, ones)
      table.lookup(many)
      if (table.lookupSync(many)[0] >= 1) console.log('well')
      store.close()
    })`,
  'calls before exit that ask for more': `${kBegin}
    let left = 3
    process.on('beforeExit', () => {
      if (left-- > 0) table.push(many, ones)
      else console.log('well')
    })`,
  'an addon loaded and never used': `import 'hotrow'\nconsole.log('well')`,
  'opening under way at the end': `
    import { open } from 'hotrow'
    for (let i = 0; i < 20; i++) open(':memory:' + (i % 3))
    process.on('exit', () => console.log('well'))`,
}

for (const [what, program] of Object.entries(kPrograms)) {
  test(what, async () => {
    const ended = await runProgram(program)
    assertEnded(ended, 0)
    assert.match(ended.output, /^well$/m)
    assert.ok(ended.seconds < 20, `${ended.seconds} s`)
  })
}

test.run()
