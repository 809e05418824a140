// Guarantees E4 and E5: a process killed at any moment leaves the last version it was told of, or
// the one it was making, whole. One folder goes through all the kills, so that each also recovers
// from the one before. The many rounds are in C++: test/native/faults/kill_test.cc.

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kRoot } from '../lib/support/children.ts'

const test = suite('kill')
const kRounds = 10 * Number(process.env['HOTROW_TEST_SCALE'] ?? 1)
const kKeys = 2000
const kSeed = Number(process.env['HOTROW_SEED'] ?? Date.now() % 1_000_000)

/** Numbers from 0 to below 1 (mulberry32). */
function random(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Runs the committer until `delayMs` after its first word; resolves to its last step said. */
function killed(path: string, delayMs: number): Promise<number> {
  const program = 'test/faults/programs/committer.mjs'
  const child = spawn(process.execPath, [program, path, String(kKeys), '2'], {
    cwd: kRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  return new Promise((done, fail) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output === '') setTimeout(() => child.kill('SIGKILL'), delayMs)
      output += text
    })
    child.on('error', fail)
    child.on('close', () => {
      const said = [...output.matchAll(/^committed (\d+)$/gm)].at(-1)
      if (said) done(Number(said[1]))
      else fail(new Error(`the committer said nothing of a commit: ${output}`))
    })
  })
}

/** The step that the store is at; fails when it is not wholly at one. */
async function stepOf(path: string): Promise<number> {
  const store = await open(path)
  const { cursor, version } = await store.version()
  const step = Number(cursor)
  assert.is(version, step)
  const keys = BigUint64Array.from({ length: kKeys }, (_, i) => BigInt(i * i))
  const sums = new Float32Array(kKeys * 2)
  for (const name of ['a', 'b']) {
    const table = await store.table(name, { dim: 2, optimizer: sum() })
    assert.equal(await table.lookup(keys), new Float32Array(kKeys * 2).fill(step))
    const others = await table.lookup(keys.map((key) => key + (1n << 60n)))
    others.forEach((x, i) => {
      sums[i] = (sums[i] ?? 0) + x
    })
  }
  assert.ok(
    sums.every((x) => x === 0),
    'half of a push',
  )
  const dense = await store.dense('w', { shape: [3, 5], optimizer: sum() })
  assert.equal(await dense.pull(), new Float32Array(15).fill(step))
  await store.close()
  return step
}

test(`a committing process killed ${kRounds} times, seed ${kSeed}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hotrow-'))
  const path = join(folder, 's')
  const next = random(kSeed)
  try {
    for (let round = 0; round < kRounds; round++) {
      const said = await killed(path, next() * 60)
      const step = await stepOf(path)
      assert.ok(step === said || step === said + 1, `said ${said}, is at ${step}, round ${round}`)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
