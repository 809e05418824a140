// Workers of one job as real processes, some of which are killed: those that live go on once the
// lease is over, and in mode 'bulk' no step has half of a worker's gradients.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, open, serve } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomNumbers } from '../lib/support/arrays.ts'
import { kRoot } from '../lib/support/children.ts'

const test = suite('sync workers')
const kSeed = Number(process.env['HOTROW_TEST_SEED'] ?? Date.now() % 1_000_000)
const kLeaseMs = 1500
const kKeys = 200

interface Trainer {
  child: ChildProcess
  /** The last step that it has ended. */
  step: () => number
}

function trainer(index: number, of: number, mode: string, servers: string[]): Trainer {
  const program = 'test/faults/programs/sync-worker.mjs'
  const args = [index, of, mode, kLeaseMs, kKeys, 10, ...servers].map(String)
  const child = spawn(process.execPath, [program, ...args], {
    cwd: kRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out = (out + text).slice(-64)
  })
  return { child, step: () => Number(/step (\d+)\n$/.exec(out)?.[1] ?? 0) }
}

async function kill({ child }: Trainer): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}

/** Waits for what must happen, however slow the machine is. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 60_000; !(await holds()); await sleep(5)) {
    if (performance.now() > end) throw new Error(`never happened: ${what}`)
  }
}

for (const mode of ['bounded', 'bulk']) {
  test(`${mode}: who lives goes on without the one that is killed, and with it again`, async () => {
    console.log(`HOTROW_TEST_SEED=${kSeed}`)
    const random = randomNumbers(kSeed)
    await using a = await open(':memory:')
    await using b = await open(':memory:')
    await using first = await serve(a)
    await using second = await serve(b)
    const servers = [first.address, second.address]
    const leader = [first, second].sort((x, y) => (x.address < y.address ? -1 : 1))[0]!
    const group = () => leader.stats().groups[0]!
    const all = [0, 1, 2].map((index) => trainer(index, 3, mode, servers))
    try {
      await until('all take steps', () => all.every((each) => each.step() >= 3))
      await sleep(random() * 50)
      const [, doomed] = all as [Trainer, Trainer, Trainer]
      await kill(doomed)
      await until('its lease runs out', () => group().dropped === 1)
      const { alive, clock } = group().workers[1]!
      assert.is(alive, false)
      const living = [all[0]!, all[2]!]
      const then = living.map((each) => each.step())
      await until('the others go on', () => living.every((each, i) => each.step() > then[i]! + 5))
      assert.is(group().workers[1]!.clock, clock, 'nobody ticks for it')
      all[1] = trainer(1, 3, mode, servers)
      await until('it joins at the others', () => all[1]!.step() > clock + 5)
      await until('all are there', () => group().workers.every((each) => each.alive))
    } finally {
      await Promise.all(all.map(kill))
    }
    await until('all leases run out', () => group().workers.every((each) => !each.alive))
    await using store = await connect(servers)
    const table = await store.table('t')
    const rows = await table.lookup(BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i)))
    if (mode !== 'bulk') return
    // A joiner brings to an end what was decided when all died.
    const { workers } = group()
    const slowest = Math.max(...workers.map((each) => each.clock))
    for (let lane = 0; lane < 3; lane++) {
      const values = new Set(rows.filter((_, i) => i % 3 === lane))
      const its = [...values].join(' ')
      // All died at once: one server may not have heard of the last step yet.
      assert.ok(values.size <= 2, `worker ${lane}'s rows have ${its}`)
      assert.ok(Math.max(...values) - Math.min(...values) <= 1, `worker ${lane}: ${its}`)
      assert.ok(Math.max(...values) <= slowest, `worker ${lane}: ${its} of ${slowest} steps`)
    }
    await using joiner = await store.worker({
      group: 'job',
      index: 0,
      of: 3,
      mode: 'bulk',
      leaseMs: kLeaseMs,
    })
    assert.ok((await joiner.clock()).mine > 0)
    const whole = await table.lookup(BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i)))
    for (let lane = 0; lane < 3; lane++) {
      const values = new Set(whole.filter((_, i) => i % 3 === lane))
      assert.is(values.size, 1, `worker ${lane}'s rows have ${[...values].join(' ')}`)
    }
  })
}

test.run()
