// Every key of a table behind servers is a register: what concurrent clients read, assign and add
// through connections that break and hang is linearizable, key by key. The judge, linearizable.ts,
// is judged here too.

import { setTimeout as sleep } from 'node:timers/promises'
import {
  connect,
  open,
  type Server,
  type Store,
  type StoreError,
  serve,
  sum,
  type Table,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomNumbers } from '../lib/support/arrays.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { describe, isLinearizable, type Operation } from './linearizable.ts'

const test = suite('linearizable')
const kScale = Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kSeed = Number(process.env['HOTROW_TEST_SEED'] ?? Date.now() % 1_000_000)

// --- The judge

/** `kind value from-to`; without an end nothing was answered. */
function history(...lines: string[]): Operation[] {
  return lines.map((line) => {
    const [kind, value, times] = line.split(' ') as [Operation['kind'], string, string]
    const [called, ended] = times.split('-')
    const end = ended === '' ? Number.POSITIVE_INFINITY : Number(ended)
    return { kind, value: Number(value), called: Number(called), ended: end }
  })
}

const kGood: Record<string, Operation[]> = {
  'nothing at all': [],
  'one after the other': history('assign 1 1-2', 'read 1 3-4', 'add 2 5-6', 'read 3 7-8'),
  'either order of what overlaps': history('assign 1 1-9', 'assign 2 1-9', 'read 1 10-11'),
  'a write in the midst of its call': history('assign 1 1-9', 'read 0 2-3', 'read 1 4-5'),
  'without an answer, applied': history('assign 1 1-', 'read 0 2-3', 'read 1 8-9'),
  'without an answer, never applied': history('assign 1 1-', 'read 0 2-3', 'read 0 8-9'),
  'without an answer, applied after another': history('add 4 1-', 'assign 1 2-3', 'read 5 8-9'),
  'reads without an answer say nothing': history('read 7 1-', 'read 0 2-3'),
}

const kBad: Record<string, Operation[]> = {
  'a stale read': history('assign 1 1-2', 'read 0 3-4'),
  'a value that nobody wrote': history('assign 1 1-2', 'read 5 3-4'),
  'a lost addition': history('add 1 1-5', 'add 1 2-6', 'read 1 7-8'),
  'an addition that is applied twice': history('add 1 1-2', 'read 2 3-4'),
  'back to the older value': history('assign 1 1-9', 'read 1 2-3', 'read 0 4-5'),
  'two orders of one pair': history(
    ...['assign 1 1-9', 'assign 2 1-9', 'read 1 10-11', 'read 2 12-13'],
  ),
  'applied before it was called': history('read 1 1-2', 'assign 1 3-4'),
  'without an answer, applied twice': history('add 1 1-', 'read 1 2-3', 'read 2 4-5'),
  'without an answer, applied and taken back': history('assign 1 1-', 'read 1 2-3', 'read 0 4-5'),
}

test('the judge knows good histories from bad ones', () => {
  for (const [what, its] of Object.entries(kGood)) assert.ok(isLinearizable(its), what)
  for (const [what, its] of Object.entries(kBad)) assert.not.ok(isLinearizable(its), what)
})

/** All orders that time allows, one by one: slow, and with nothing to get wrong. */
function byEveryOrder(rest: Operation[], value = 0): boolean {
  if (rest.every(({ ended }) => !Number.isFinite(ended))) return true
  return rest.some((its) => {
    if (rest.some((other) => other.ended < its.called)) return false
    if (its.kind === 'read' && its.value !== value) return false
    const next = its.kind === 'read' ? value : its.value + (its.kind === 'add' ? value : 0)
    return byEveryOrder(
      rest.filter((other) => other !== its),
      next,
    )
  })
}

test('the judge finds what a search of every order finds', () => {
  const random = randomNumbers(11)
  const below = (n: number): number => Math.floor(random() * n)
  const verdicts = [0, 0]
  for (let i = 0; i < 3000; i++) {
    const its = Array.from({ length: 1 + below(6) }, (): Operation => {
      const called = below(12)
      const kind = (['read', 'assign', 'add'] as const)[below(3)] as Operation['kind']
      // Reads without an answer are left out by whoever writes histories.
      const lost = kind !== 'read' && below(5) === 0
      const ended = lost ? Number.POSITIVE_INFINITY : called + 0.5 + below(6)
      return { kind, value: below(3), called, ended }
    })
    const expected = byEveryOrder(its)
    assert.is(isLinearizable(its), expected, describe(its))
    verdicts[Number(expected)] = (verdicts[Number(expected)] as number) + 1
  }
  assert.ok(Math.min(...verdicts) > 300, String(verdicts))
})

// --- Servers

const kClients = 4
const kKeys = 3
const kCalls = 10
const kTimeoutMs = 400

/** What several clients do to one set of keys, as they see it. */
class Recorder {
  readonly histories = new Map<bigint, Operation[]>()
  unknown = 0
  refused = 0
  #clock = 0

  async call(key: bigint, kind: Operation['kind'], value: number, table: Table): Promise<void> {
    const its: Operation = { kind, value, called: ++this.#clock, ended: Number.POSITIVE_INFINITY }
    const keys = BigUint64Array.of(key)
    try {
      if (kind === 'read') {
        const row = await table.lookup(keys)
        assert.is(row[0], row[1], 'half a row')
        its.value = row[0] as number
      } else if (kind === 'assign') {
        await table.update(keys, Float32Array.of(value, value))
      } else {
        await table.push(keys, Float32Array.of(value, value))
      }
      its.ended = ++this.#clock
    } catch (error) {
      const { outcome, code } = error as StoreError
      if (code === undefined) throw error
      // Known to have changed nothing: where it has, nobody wrote what is read then.
      if (kind === 'read' || outcome !== 'unknown') {
        this.refused++
        return
      }
      this.unknown++
    }
    const before = this.histories.get(key)
    if (before === undefined) this.histories.set(key, [its])
    else before.push(its)
  }
}

class ServerBehindProxy implements AsyncDisposable {
  readonly proxy: CuttingProxy
  readonly #server: Server
  readonly #store: Store

  private constructor(proxy: CuttingProxy, server: Server, store: Store) {
    this.proxy = proxy
    this.#server = server
    this.#store = store
  }

  static async start(budget: () => number): Promise<ServerBehindProxy> {
    const store = await open(':memory:')
    const server = await serve(store)
    const proxy = await new CuttingProxy(server.address, budget).listen()
    return new ServerBehindProxy(proxy, server, store)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]()
    await this.#server[Symbol.asyncDispose]()
    await this.#store.close()
  }
}

test('what clients see through connections that break and hang is linearizable', async () => {
  console.log(`HOTROW_TEST_SEED=${kSeed}`)
  const random = randomNumbers(kSeed)
  const budget = (): number => Math.floor(200 + random() ** 2 * 8000)
  await using first = await ServerBehindProxy.start(budget)
  await using second = await ServerBehindProxy.start(budget)
  const proxies = [first.proxy, second.proxy] as const
  const servers = proxies.map(({ address }) => address)
  const options = { timeoutMs: kTimeoutMs }
  const stores = await Promise.all(
    Array.from({ length: kClients }, () => connect(servers, options)),
  )
  const tables = await Promise.all(
    stores.map((store) => untilDone(() => store.table('t', { dim: 2, optimizer: sum() }))),
  )
  const recorder = new Recorder()
  const rounds = 40 * kScale
  let written = 0
  for (let round = 0; round < rounds; round++) {
    const holding =
      round % 10 === 9 ? hold(round % 20 === 9 ? first.proxy : second.proxy) : undefined
    await Promise.all(
      tables.map(async (table) => {
        for (let i = 0; i < kCalls; i++) {
          const key = BigInt(round * kKeys + Math.floor(random() * kKeys))
          const draw = random()
          const kind = draw < 0.4 ? 'read' : draw < 0.7 ? 'add' : 'assign'
          // No two assignments are alike; f32 has these exactly.
          const value = kind === 'add' ? 1 : kind === 'read' ? 0 : 16 * ++written
          await recorder.call(key, kind, value, table)
        }
      }),
    )
    await holding
  }
  await Promise.all(stores.map((store) => store.close()))
  for (const [key, its] of recorder.histories) {
    assert.ok(isLinearizable(its), `key ${key}, HOTROW_TEST_SEED=${kSeed}:\n${describe(its)}`)
  }
  const cuts = proxies.reduce((sum, proxy) => sum + proxy.cuts, 0)
  const { unknown, refused, histories } = recorder
  console.log(
    `${histories.size} keys, ${cuts} connections cut, ${unknown} calls unknown, ${refused} refused`,
  )
  assert.ok(cuts > 20 * kScale, 'the proxies cut too few')
  assert.ok(unknown > 0, 'every outcome is known')
})

/** Nothing comes through for longer than a call waits. */
async function hold(proxy: CuttingProxy): Promise<void> {
  proxy.hold()
  await sleep(kTimeoutMs * 1.5)
  proxy.release()
}

async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === 20) throw error
    }
  }
}

test.run()
