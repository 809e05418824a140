// Plants mistakes in the algorithms of cuda/, one at a time, and expects the random runs of
// test/native/cuda to find each: a test that would pass with them tests nothing. By the nightly
// tests, which have `build` already: each mistake is compiled, which takes 15 s of a core.
//
//   node scripts/planted-gpu.mjs [WORD]     only those whose names contain the word

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run, say } from './common/process.mjs'
import { closingLine } from './common/totals.mjs'

/** What is planted: in a file of cuda/, the first text becomes the second. */
const kMistakes = [
  ['none', 'insert.h', '++counted.inserted;', '++counted.inserted;'],
  ['ties go to the highest way', 'tile.h', 'lanes[lane] < lanes[at]', 'lanes[lane] <= lanes[at]'],
  [
    'equal ranks are refused',
    'insert.h',
    'scores.rank(score) < rank',
    'scores.rank(score) <= rank',
  ],
  ['held ways are victims', 'insert.h', 'if ((ways.flags[lane] & kHeld) != 0) return kPinned;', ''],
  ['a way filled is let go', 'insert.h', 'ways.flags[lane] &= kHeld;', 'ways.flags[lane] = 0;'],
  [
    'hesitant rows replace any',
    'insert.h',
    'return wish == TierWish::kHesitant && ',
    'return false && ',
  ],
  ['awaited rows are refused', 'insert.h', 'if (wish == TierWish::kAwaited) return false;', ''],
  ['awaited rows go for the next', 'insert.h', 'ways.flags[lane] = kHeld;', ''],
  ['awaited rows are not held', 'insert.h', 'held_more(cache.pins[handle])', 'cache.pins[handle]'],
  ['ways are held less than never', 'lookup.h', 'pins > 0 ?', 'pins >= 0 ?'],
  ['held as before counts', 'lookup.h', 'return pins != before;', 'return true;'],
  ['stale ends one too early', 'insert.h', 'rank <= kStaleRank', 'rank < kStaleRank'],
  ['new rows keep the mark', 'insert.h', 'cache.dirty[handle] = 0;', ''],
  ['dirty victims are lost', 'insert.h', '& 1) != 0) {', '& 1) != 0 && candidate % 8 != 0) {'],
  ['pushed rows are clean', 'push.h', 'cache.dirty[handle] = 1;', ''],
  [
    'flushed rows stay dirty',
    'rows.h',
    'rows.keys[to] = cache.keys[handle];\n        cache.dirty[handle] = 0;',
    'rows.keys[to] = cache.keys[handle];',
  ],
  ['chunks are stepped over', 'copy.h', 'chunk += W;', 'chunk += W - 1;'],
  ['whole rows are stepped over', 'copy.h', 'row += W / kLength;', 'row += 1;'],
  ['ranks of misses count the lane', 'lookup.h', '((1U << lane) - 1)', '((2U << lane) - 1)'],
  ['rows of misses are written', 'lookup.h', 'if (handle[lane] == kNoHandle) return;', ''],
  ['uses are looked at one in four', 'scores.h', '(mixed >> 61) != 0', '(mixed >> 62) != 0'],
  ['epochs do not wrap', 'scores.h', '& 0xff; }', '& 0x1ff; }'],
  ['ages are not halvings', 'scores.h', '(score & kLow) >> halvings', '(score & kLow)'],
  [
    'bags sum backwards',
    'pool.h',
    'value_of(handles[at], i)',
    'value_of(handles[end - 1 - at + begin], i)',
  ],
  ['the last position claims', 'tile.h', 'while (value < seen &&', 'while (value > seen &&'],
]

const kProgram = `
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

/** What of the tests includes nothing that a kernel is made of. */
async function compileCommon(folder) {
  const names = ['random_run', 'no_device']
  const objects = names.map((name) => join(folder, `${name}.o`))
  await Promise.all(
    names.map((name, i) =>
      compile([...kFlags, '-c', join(root, `test/native/cuda/${name}.cc`), '-o', objects[i]]),
    ),
  )
  return objects
}

/** Does the test find it? */
async function isFound(folder, common, [name, file, from, to]) {
  const place = mkdtempSync(join(folder, 'planted-'))
  cpSync(join(root, 'cuda'), join(place, 'cuda'), { recursive: true })
  const path = join(place, 'cuda', file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${name}: cuda/${file} has no \`${from}\``)
  writeFileSync(path, text.replaceAll(from, to))
  const source = join(place, 'planted.cc')
  writeFileSync(source, kProgram)
  const program = join(place, 'planted')
  const core = join(root, 'build/libhotrow_core.a')
  const libraries = [core, '-lgtest', '-lgtest_main', '-lrocksdb', '-l:libssl.a', '-l:libcrypto.a']
  await compile([`-I${place}`, ...kFlags, source, ...common, ...libraries, '-o', program])
  const { code, timedOut } = await run(program, [], { quiet: true, timeoutMs: 60_000 })
  rmSync(place, { recursive: true })
  return code !== 0 || timedOut
}

const word = process.argv[2] ?? ''
const folder = mkdtempSync(join(tmpdir(), 'hotrow-planted-'))
const totals = { passed: 0, failed: 0, skipped: 0 }
try {
  const common = await compileCommon(folder)
  const waiting = kMistakes.filter(([name]) => name.includes(word))
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const found = await isFound(folder, common, next)
      const right = found === (next[0] !== 'none')
      totals[right ? 'passed' : 'failed']++
      if (!right) say(`${next[0]}: ${found ? 'the test fails without a mistake' : 'not found'}`)
    }
  }
  await Promise.all([work(), work()])
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(closingLine(totals))
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0
