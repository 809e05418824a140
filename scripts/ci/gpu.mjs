// The library of the GPU tier, compiled by nvcc for one architecture, warnings as errors: what it
// says of a kernel is held against a budget of registers, and nothing may spill. Then the protocol
// of a device, which says gpu=skipped where there is none.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildCuda } from '../common/cuda.mjs'
import { root, run, which } from '../common/process.mjs'

const kBuild = 'build-cuda'

/** Registers a thread, the first that fits; 64 leave half of a multiprocessor's threads. */
const kBudgets = [
  [/FindGather.*RawRowsILj32E/, 60],
  [/FindGather/, 48],
  [/\bFind\b|NumberByBucket|Claim|First|Clear/, 32],
  [/Insert/, 56],
  [/Push/, 64],
  [/./, 64],
]

/** What ptxas said: kernels of ours with their registers, stack and spills, both in bytes. */
export function kernelsOf(log) {
  const kernels = []
  for (const [, name, rest] of log.matchAll(
    /Compiling entry function '(\S*hotrow3gpu\S*)' for 'sm_\d+'\n((?:(?!.*Compiling).*\n){1,4})/g,
  )) {
    const [, stack, stores] = /(\d+) bytes stack frame, (\d+) bytes spill stores/.exec(rest) ?? []
    const [, registers] = /Used (\d+) registers/.exec(rest) ?? []
    kernels.push({ name, registers: +registers, stack: +stack, spills: +stores })
  }
  return kernels
}

export function beyondBudget({ name, registers, stack, spills }) {
  const [, most] = kBudgets.find(([pattern]) => pattern.test(name))
  if (!(registers <= most)) return `${name}: ${registers} registers, the budget is ${most}`
  if (stack !== 0 || spills !== 0) return `${name}: ${stack} bytes of stack, ${spills} spilled`
  return undefined
}

async function library() {
  if (!which('nvcc')) return { skip: 'there is no nvcc' }
  const built = await buildCuda(kBuild, '90')
  if (built.code !== 0) return built
  const folder = join(root, kBuild, 'cuda')
  const logs = readdirSync(folder).filter((name) => name.endsWith('.o.log'))
  const kernels = logs.flatMap((name) => kernelsOf(readFileSync(join(folder, name), 'utf8')))
  const wrong = kernels.map(beyondBudget).filter((text) => text !== undefined)
  if (kernels.length < 100) wrong.push(`only ${kernels.length} kernels were compiled`)
  const most = Math.max(...kernels.map((kernel) => kernel.registers))
  const note = `(${kernels.length} kernels, at most ${most} registers, nothing spills)`
  return { code: wrong.length > 0 ? 1 : 0, output: wrong.join('\n'), note }
}

async function device() {
  const result = await run('bash', ['scripts/gpu-check'], { quiet: true })
  const skipped = /gpu=skipped \((.*)\)/.exec(result.output)
  return skipped && result.code === 0 ? { skip: `gpu=skipped (${skipped[1]})` } : result
}

export const gpuSteps = [
  { name: 'GPU library: registers and spills', work: library },
  { name: 'GPU device: the whole protocol', work: device },
]
