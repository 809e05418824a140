// Guarantee C2 with real processes: three servers and a trainer that commits over them, any of
// which is killed at any moment. Afterwards the newest version is one that the trainer was told of
// or the one it was making, and on all servers it is the same step.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomNumbers } from '../lib/support/arrays.ts'
import { kRoot } from '../lib/support/children.ts'
import { type ServeCommand, serveCommand } from '../lib/support/serve-command.ts'

const test = suite('cluster')
const kRounds = 12 * Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kSeed = Number(process.env['HOTROW_TEST_SEED'] ?? Date.now() % 1_000_000)
const kServers = 3
const kKeys = 500
const keys = BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i * i))

/** A trainer; `said()` is the last step that it says is committed. */
function train(servers: string[]): { child: ChildProcess; said: () => number } {
  const args = ['test/faults/programs/cluster-committer.mjs', String(kKeys), ...servers]
  // What it says of servers that go is nobody's business.
  const child = spawn(process.execPath, args, { cwd: kRoot, stdio: ['ignore', 'pipe', 'ignore'] })
  let out = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  return { child, said: () => Number(/(\d+)\s*$/.exec(out)?.[1] ?? 0) }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}

/** The step of the newest version; fails when not every row is of it. */
async function stepOf(servers: string[]): Promise<number> {
  await using store = await connect(servers)
  const { version, cursor } = await store.version()
  if (version === 0) return 0
  await store.rollback(version)
  const rows = await (await store.table('t')).lookup(keys)
  assert.equal(new Set(rows), new Set([cursor as number]), 'a torn version')
  return cursor as number
}

test('a version is on all servers or on none, whoever is killed', async () => {
  console.log(`HOTROW_TEST_SEED=${kSeed}`)
  const random = randomNumbers(kSeed)
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const path = (i: number): string => join(folder, String(i))
  const all: ServeCommand[] = []
  try {
    for (let i = 0; i < kServers; i++) {
      all.push(await serveCommand(path(i), '--listen', '127.0.0.1:0'))
    }
    const servers = all.map(({ address }) => address)
    let last = 0
    let beyond = 0
    for (let round = 0; round < kRounds; round++) {
      const trainer = train(servers)
      while (trainer.said() === 0 && trainer.child.exitCode === null) await sleep(5)
      await sleep(random() * 150)
      // One of them, or several at once.
      const doomed = all.map((_, i) => i).filter(() => random() < 0.4)
      await Promise.all([
        ...doomed.map((i) => kill((all[i] as ServeCommand).child)),
        random() < 0.5 ? kill(trainer.child) : undefined,
      ])
      for (const i of doomed) {
        all[i] = await serveCommand(path(i), '--listen', servers[i] as string)
      }
      await kill(trainer.child)
      const said = Math.max(trainer.said(), last)
      const step = await stepOf(servers)
      assert.ok(step === said || step === said + 1, `${step}, the trainer was told of ${said}`)
      if (step > said) beyond++
      last = step
    }
    console.log(`${kRounds} rounds, ${last} versions, ${beyond} that nobody was told of`)
  } finally {
    await Promise.all(all.map(({ child }) => kill(child)))
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
