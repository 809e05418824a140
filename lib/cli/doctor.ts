/** `hotrow doctor`: what this machine has, and whether a store works on it. */
import { cpus } from 'node:os'
import type { GpuStats } from '../figures.ts'
import { uniform } from '../initializers.ts'
import { adagrad } from '../optimizers.ts'
import type { Store } from '../store.ts'
import type { Table } from '../table.ts'
import { type Command, number } from './command.ts'
import { grouped } from './output.ts'

/** The self-test ends after so long, and after so many rounds. */
const mostMs = 1_500
const mostRounds = 40
const dim = 16
const keysPerRound = 2_000
const universe = 6_000
const gpuBytes = '64MiB'

interface SelfTest {
  rounds: number
  rows: number
  ms: number
  /** Keys that lookups found on the device. */
  gpuHits: number
}

interface Findings {
  node: string
  addon: string
  cpu: string
  gpu: GpuStats
  selfTest: SelfTest
}

/** Where the addon lies that this process has loaded. */
function addonPath(): string {
  const report = process.report?.getReport() as { sharedObjects?: string[] } | undefined
  return report?.sharedObjects?.find((path) => path.endsWith('.node')) ?? 'unknown'
}

/** Numbers that look random and are the same every time. */
function* sequence(): Generator<number, never, undefined> {
  for (let state = 1; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state
  }
}

function expectSame(actual: Float32Array, expected: Float32Array, round: number): void {
  const at = actual.findIndex((value, i) => !Object.is(value, expected[i]))
  if (at < 0) return
  throw new Error(
    `self-test: round ${round}, value ${at}: with the GPU ${actual[at]}, without ${expected[at]}`,
  )
}

/** Keys of which some come again and again, and gradients for them. */
function batchOf(numbers: Iterator<number, never>): [BigUint64Array, Float32Array] {
  const next = (): number => numbers.next().value
  const keys = BigUint64Array.from({ length: keysPerRound }, () => {
    const drawn = next() >>> 8
    return BigInt(drawn % 4 === 0 ? drawn % universe : drawn % (universe / 20))
  })
  const values = Float32Array.from({ length: keys.length * dim }, () => next() / 2 ** 31 - 1)
  return [keys, values]
}

/** The same calls on a table with the GPU and on one without; throws where they differ. */
async function selfTest(withGpu: Table, without: Table): Promise<Omit<SelfTest, 'gpuHits'>> {
  const numbers = sequence()
  const begun = performance.now()
  const passed = (): number => performance.now() - begun
  let rounds = 0
  for (; rounds < mostRounds && passed() < mostMs; rounds++) {
    const [keys, gradients] = batchOf(numbers)
    await Promise.all([withGpu.push(keys, gradients), without.push(keys, gradients)])
    expectSame(await withGpu.lookup(keys), await without.lookup(keys), rounds)
  }
  const { rows } = await without.stats()
  return { rounds, rows, ms: Math.round(passed()) }
}

async function examine(withGpu: Store, without: Store): Promise<Findings> {
  const options = { dim, optimizer: adagrad(), initializer: uniform(0.1) }
  const tables = [await withGpu.table('t', options), await without.table('t', options)] as const
  const tested = await selfTest(...tables)
  const { gpu } = await withGpu.stats()
  if (gpu === null) throw new Error('the store does not know of the GPU that it was asked for')
  const [table] = gpu.tables
  if (gpu.available && table?.reason !== '') throw new Error(`the GPU fails: ${table?.reason}`)
  return {
    node: process.version,
    addon: addonPath(),
    cpu: `${process.arch}, ${cpus()[0]?.model ?? 'unknown'}`,
    gpu,
    selfTest: { ...tested, gpuHits: table?.hits ?? 0 },
  }
}

function describe({ node, addon, cpu, gpu, selfTest }: Findings): string {
  const { device, computeCapability, driver, memoryBytes } = gpu
  const where = gpu.available ? `with the GPU (${grouped(selfTest.gpuHits)} hits)` : 'on the CPU'
  return [
    `node       ${node}`,
    `addon      ${addon}`,
    `cpu        ${cpu}`,
    ...(gpu.available
      ? [
          `gpu        ${device}, compute capability ${computeCapability}`,
          `driver     CUDA ${driver}`,
          `memory     ${grouped(memoryBytes)} bytes`,
        ]
      : [`gpu        none: ${gpu.reason}`]),
    `self-test  ok ${where}: ${selfTest.rounds} rounds, ${grouped(selfTest.rows)} rows, ` +
      `${grouped(selfTest.ms)} ms`,
  ].join('\n')
}

export const doctor: Command = {
  name: 'doctor',
  summary: 'say what this machine has for a store, and try it',
  positionals: [],
  flags: {
    device: { type: 'string', value: 'N', help: 'the GPU, as CUDA numbers them; by default 0' },
  },
  details: 'Fails when results are wrong. That there is no GPU is no failure.',
  async run(call) {
    const device = number(call, 'device') ?? 0
    // Here, so that help needs no binary.
    const { open } = await import('../open.ts')
    const withGpu = await open(':memory:', { gpu: { device, bytes: gpuBytes } })
    const without = await open(':memory:')
    try {
      const findings = await examine(withGpu, without)
      call.output.result(findings, () => describe(findings))
    } finally {
      await Promise.all([withGpu.close(), without.close()])
    }
  },
}
