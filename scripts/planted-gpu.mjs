// Plants mistakes in the GPU tier, one at a time, and expects tests to find each: a test that would
// pass with them tests nothing. Those in the algorithms of cuda/ are for the random runs of
// test/native/cuda, those in its ring for ring_test.cc, and those in native/store/ for the tests of
// tables on a device. By the nightly tests, which have `build` already: each mistake is compiled,
// which takes 15 s of a core.
//
//   node scripts/planted-gpu.mjs [WORD]     only those whose file or name contain the word

import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run, say } from './common/process.mjs'
import { closingLine } from './common/totals.mjs'
import { kInAlgorithms, kInRing, kInStore } from './planted/gpu-mistakes.mjs'

const kRandomRuns = `
#include <gtest/gtest.h>
#include "cuda/host_device.h"
#include "cuda/push.h"
namespace hotrow::gpu {
// One kernel instead of all: this is compiled again and again.
template <>
Status push_rows<HostDevice>(HostDevice& device, OptimizerKind, ValueType, Rounding,
                             const PushTask& task, HostDevice::Stream stream) {
  using Sgd = Push<OptimizerKind::kSgd, ValueType::kF32, Rounding::kNearest>;
  return device.launch(Sgd{task}, task.n, stream);
}
}  // namespace hotrow::gpu
#include "${join(root, 'test/native/cuda/host_subject.cc')}"
#include "cuda/random_run.h"
namespace hotrow::test {
TEST(Planted, IsFound) {
  uint64_t seed = 7;
  for (const uint32_t dim : {8, 10, 12, 24}) {
    for (int policy = 0; policy < 6; ++policy) {
      RunShape shape{.dim = dim, .policy = static_cast<TierPolicy>(policy),
                     .optimizer = OptimizerKind::kSgd, .buckets = 11, .steps = 200};
      RandomRun(shape, seed++).go();
      if (HasFailure()) return;
    }
  }
}
}  // namespace hotrow::test
`

const kFlags = [
  ...['-std=c++20', '-O0', '-march=x86-64-v2', '-ffp-contract=off', '-w'],
  ...['', 'native', 'native/include', 'test/native'].map((folder) => `-I${join(root, folder)}`),
]

async function compile(args) {
  const result = await run('g++', args, { quiet: true })
  if (result.code !== 0) throw new Error(`g++: ${result.output}`)
}

/** Runs work(item) for every item, two at a time. */
async function inPairs(items, work) {
  const waiting = [...items]
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await work(next)
  }
  await Promise.all([worker(), worker()])
}

/** Objects of sources as they are. */
async function compileOnce(folder, names) {
  const objectOf = (name) => join(folder, `${name.replaceAll('/', '-')}.o`)
  await inPairs(names, (name) =>
    compile([...kFlags, '-c', join(root, `${name}.cc`), '-o', objectOf(name)]),
  )
  return names.map(objectOf)
}

/** A copy of the part of the tree that the mistake is in, with it. */
function plant(place, part, [name, file, from, to]) {
  const copy = join(place, part)
  mkdirSync(copy, { recursive: true })
  cpSync(join(root, part), copy, { recursive: true })
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${name}: ${part}/${file} has no \`${from}\``)
  writeFileSync(path, text.replaceAll(from, to))
  return path
}

const kLibraries = ['-lgtest', '-lgtest_main', '-lrocksdb', '-ldl', '-l:libssl.a', '-l:libcrypto.a']

/** Where mistakes are planted: what is compiled once, and what with each of them. */
const kSuites = [
  {
    mistakes: kInAlgorithms,
    part: 'cuda',
    common: ['test/native/cuda/random_run', 'test/native/cuda/no_device'],
    source: () => kRandomRuns,
  },
  {
    mistakes: kInRing,
    part: 'cuda',
    common: ['test/native/cuda/no_device'],
    source: () => `
#include "${join(root, 'test/native/cuda/ring_test.cc')}"
#include "${join(root, 'test/native/cuda/host_subject.cc')}"
`,
  },
  {
    mistakes: kInStore,
    part: 'native/store',
    // The sources too, without the optimizer: in the core some are inlined into others.
    common: [
      ...['device_fill_test', 'device_rows_test', 'fill_queue_test', 'fake_tier'].map(
        (name) => `test/native/store/${name}`,
      ),
      'test/native/support/stores',
      ...readdirSync(join(root, 'native/store'))
        .filter((name) => /^(device_\w+|fill_queue|gpu_tier)\.cc$/.test(name))
        .map((name) => `native/store/${name.slice(0, -3)}`),
    ],
    source: (planted) => readFileSync(planted, 'utf8'),
  },
]

/** Does a test find it? */
async function isFound(folder, suite, common, mistake) {
  const place = mkdtempSync(join(folder, 'planted-'))
  const source = join(place, 'planted.cc')
  writeFileSync(source, suite.source(plant(place, suite.part, mistake)))
  const program = join(place, 'planted')
  // The first of a name is taken: what is planted, then what is as it is, then the core's.
  const linking = ['-Wl,--allow-multiple-definition', join(root, 'build/libhotrow_core.a')]
  await compile(
    [`-I${place}`, ...kFlags, source, ...common, ...linking, ...kLibraries].concat('-o', program),
  )
  const { code, timedOut } = await run(program, [], { quiet: true, timeoutMs: 60_000 })
  rmSync(place, { recursive: true })
  return code !== 0 || timedOut
}

const word = process.argv[2] ?? ''
const folder = mkdtempSync(join(tmpdir(), 'hotrow-planted-'))
const totals = { passed: 0, failed: 0, skipped: 0 }
try {
  for (const suite of kSuites) {
    const waiting = suite.mistakes.filter((each) => `${each[1]}: ${each[0]}`.includes(word))
    if (waiting.length === 0) continue
    const common = await compileOnce(folder, suite.common)
    await inPairs(waiting, async (mistake) => {
      const found = await isFound(folder, suite, common, mistake)
      const right = found !== mistake[0].startsWith('none')
      totals[right ? 'passed' : 'failed']++
      if (!right) say(`${mistake[0]}: ${found ? 'the test fails without a mistake' : 'not found'}`)
    })
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(closingLine(totals))
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0
