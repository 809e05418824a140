// The rules of the house that a program can check, on the whole tree. Each rule is first shown to
// find planted violations and to accept their legal neighbours: a test that cannot fail is a
// defect.

import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { exampleImports, libImports, noAny } from './tidy/imports.ts'
import { includeDirections, mutexesOnlyInSync } from './tidy/includes.ts'
import { optionsMirror, statusCodes } from './tidy/mirror.ts'
import { noPlaces } from './tidy/places.ts'
import { columns, fileLines, functionLines, leftovers, opensWithComment } from './tidy/sizes.ts'
import { planted, type Rule, readTree } from './tidy/tree.ts'

const tree = readTree(resolve(dirname(fileURLToPath(import.meta.url)), '..'))
const tidy = suite('tidy')

interface Case {
  rule: Rule
  /** Files that keep the rule. */
  good: Record<string, string>
  /** Sets of files that break it, each one added to the good ones. */
  bad: Record<string, string>[]
}

/** The rule on planted files and then on the tree. */
function check(name: string, { rule, good, bad }: Case): void {
  tidy(name, () => {
    assert.equal(rule(planted(good)), [], 'complains about what is allowed')
    for (const files of bad) {
      const found = rule(planted({ ...good, ...files }))
      assert.ok(found.length > 0, `does not find ${JSON.stringify(files).slice(0, 300)}`)
    }
    const found = rule(tree).join('\n')
    // Without a stack: the complaints say where.
    if (found !== '') throw Object.assign(new Error(found), { stack: found })
  })
}

const lines = (count: number, line = '//\n'): string => line.repeat(count)
const cppFunction = (count: number): string => `int f(int a) {\n${lines(count - 2, '  a++;\n')}}\n`
const tsFunction = (count: number): string => `const f = () => {\n${lines(count - 2, '  g()\n')}}\n`

tidy('sees the tree', () => {
  for (const path of ['package.json', 'lib/index.ts', 'native/include/hotrow/store.h']) {
    assert.ok(tree.has(path), path)
  }
})

check('folders include only what the table allows', {
  rule: includeDirections,
  good: {
    'native/include/hotrow/store.h': '#include <vector>\n#include "hotrow/status.h"\n',
    'native/base/hash.cc':
      '#include "base/hash.h"\n#include <xxhash.h>\n#include "hotrow/status.h"\n',
    'native/simd/k.cc': '#include <hwy/highway.h>\n#include "base/bytes.h"\n#include "k.h"\n',
    'native/simd/k.h': '#include <sys/mman.h>\n',
    'native/table/a.cc': '#include "simd/k.h"\n#include "memory/slab.h"\n#include "table/b.h"\n',
    'native/store/a.cc': '#include "table/a.h"\n#include "storage/a.h"\n',
    'bindings/addon.cc': '#include <napi.h>\n#include "hotrow/store.h"\n#include "bindings/a.h"\n',
    'cuda/tier.cu': '#include "store/tier.h"\n#include "base/bytes.h"\n#include "cuda/a.h"\n',
    'cuda/rules.h': '#include "simd/update_step.h"\n#include "simd/value_layout.h"\n',
  },
  bad: [
    { 'native/include/hotrow/a.h': '#include "base/hash.h"\n' },
    { 'native/include/hotrow/a.h': '#include <sys/mman.h>\n' },
    { 'native/base/a.h': '#include "table/a.h"\n' },
    { 'native/memory/a.h': '#include "simd/k.h"\n' },
    { 'native/table/a.h': '#  include "store/a.h"\n' },
    { 'native/table/a.h': '#include "../store/a.h"\n' },
    { 'native/store/a.h': '#include "cuda/a.h"\n' },
    { 'native/server/a.h': '#include "client/a.h"\n' },
    { 'native/other/a.h': '#include "base/a.h"\n' },
    { 'native/table/a.h': '#include <hwy/highway.h>\n' },
    { 'native/store/a.h': '#include <napi.h>\n' },
    { 'bindings/a.cc': '#include "table/table.h"\n' },
    { 'cuda/a.cu': '#include "store/local_store.h"\n' },
    { 'cuda/a.h': '#include "simd/kernels.h"\n' },
  ],
})

check('only base/sync.h names mutexes of the standard library', {
  rule: mutexesOnlyInSync,
  good: { 'native/base/sync.h': 'std::mutex m;\n', 'native/base/a.h': '// as std::mutex does\n' },
  bad: [
    { 'native/table/a.h': 'mutable std::shared_mutex m_;\n' },
    { 'cuda/a.cu': 'static std::mutex registry;\n' },
    { 'native/base/a.h': 'std::condition_variable_any c;\n' },
  ],
})

check('lib imports Node, the loader and itself', {
  rule: libImports,
  good: {
    'lib/a.ts': "import 'node:fs'\nimport x from 'node-gyp-build'\nexport * from './b.ts'\n",
    'lib/remote/redis-cluster.ts': "const x = await import('ioredis')\n",
    'lib/transfer/arrow.ts': "import type { A } from 'apache-arrow'\nimport '../b.ts'\n",
  },
  bad: [
    { 'lib/a.ts': "import uvu from 'uvu'\n" },
    { 'lib/a.ts': "export { x } from '../examples/a.ts'\n" },
    { 'lib/a.ts': "import './b.js'\n" },
    { 'lib/a.ts': "const x = await import('lmdb')\n" },
    { 'lib/remote/tier.ts': "const x = await import('ioredis')\n" },
    { 'lib/a.ts': "import type { A } from 'apache-arrow'\n" },
    { 'lib/a.ts': "import fs from 'fs'\n" },
  ],
})

check('examples import what a user has', {
  rule: exampleImports,
  good: {
    'examples/a/main.ts':
      "import { open } from 'hotrow'\nimport 'hyparquet'\nimport '../common/b.ts'\n",
  },
  bad: [
    { 'examples/a/main.ts': "import { open } from '../../lib/index.ts'\n" },
    { 'examples/a/main.ts': "import { open } from 'hotrow/dist/index.js'\n" },
  ],
})

check('lib has no any', {
  rule: noAny,
  good: { 'lib/a.ts': '// any\nexport const many: unknown = 1\n' },
  bad: [{ 'lib/a.ts': 'export function f(x: any[]): void {}\n' }],
})

check('files stay below their limits', {
  rule: fileLines,
  good: { 'a.cc': lines(800), 'a.h': lines(500), 'a.ts': lines(400), 'a.md': lines(2000) },
  bad: [
    { 'b.cc': lines(801) },
    { 'b.h': lines(501) },
    { 'b.ts': lines(401) },
    { 'b.mjs': lines(401) },
  ],
})

check('functions stay below their limit', {
  rule: functionLines,
  good: {
    'a.cc': `namespace a {\nclass B {\n${lines(80, ' int x;\n')}};\n${cppFunction(70)}}\n`,
    'b.cc': `static const int k[] = {\n${lines(80, ' f(1),\n')}};\n`,
    'c.h': `template <class T, int n = f(1)>\nstruct C {\n${lines(80, ' int x();\n')}};\n`,
    'd.cc': `/* {\n */ int x = '{'; const char* s = "{";\n${cppFunction(70)}`,
    'a.ts': tsFunction(70),
  },
  bad: [
    { 'x.cc': cppFunction(71) },
    { 'x.cc': `namespace a {\nclass B {\n public:\n  B() : b_{1} {}\n${cppFunction(71)}};\n}\n` },
    { 'x.h': `template <class T>\n${cppFunction(71)}` },
    { 'x.cc': `TEST(A, B) {\n${lines(80, '  g();\n')}}\n` },
    { 'x.cc': `A::A(int b)\n    : b_{b}, c_(b) {\n${lines(80, '  g();\n')}}\n` },
    { 'x.ts': tsFunction(71) },
    { 'x.mjs': `class A {\n  f() {\n${lines(80, '    g()\n')}  }\n}\n` },
  ],
})

check('lines stay below 100 columns', {
  rule: columns,
  good: { 'a.ts': `${'é'.repeat(100)}\n`, 'a.md': 'x'.repeat(300) },
  bad: [{ 'b.ts': 'x'.repeat(101) }, { 'CMakeLists.txt': 'x'.repeat(101) }],
})

check('nothing is left for later without an issue', {
  rule: leftovers,
  good: { 'a.cc': `// TO${'DO'}(#12): later\n` },
  bad: [{ 'b.cc': `// TO${'DO'}: later\n` }, { 'b.ts': `// FIX${'ME'} now\n` }],
})

check('each file opens with a comment', {
  rule: opensWithComment,
  good: {
    'a.cc': '#include "x/a.h"\n',
    'a.h': '// What.\n#ifndef A\n',
    'a.mjs': '#!/usr/bin/env node\n// What.\n',
  },
  bad: [
    { 'b.h': '#pragma once\n' },
    { 'b.cc': '#include "a.h"\n' },
    { 'b.ts': "import 'node:fs'\n" },
  ],
})

check('options are the same in C++ and TypeScript', {
  rule: optionsMirror,
  good: {
    'native/include/hotrow/options.h': [
      'struct StoreOptions {\n  uint64_t memory_bytes = 0;  ///< a; b\n  uint32_t threads{0};\n};',
      'struct TableOptions {\n  Status validate() const;\n  bool operator==(const T&) const;\n};',
      'struct DenseOptions {\n  std::vector<uint64_t> shape;\n};',
      'struct OptimizerOptions {\n  Kind kind = Kind::kSgd;\n  float beta1 = 0.9F;\n};',
      'struct OptimizerGroup {\n  bool frozen = false;\n};',
      'struct PushOptions {\n  float learning_rate = 0;\n};',
      'struct AdmissionOptions {\n  uint32_t min_count = 1;\n};',
      'struct GpuOptions {\n  uint64_t bytes = 0;\n};',
      'struct EvictionOptions {\n  uint64_t max_rows = 0;  ///< 0: no limit\n};',
      'struct InitializerOptions {\n  float low;\n};\n',
    ].join('\n'),
    'native/include/hotrow/batch.h': [
      'struct LookupOptions {\n  std::optional<float> missing = std::nullopt;\n};',
      'struct UpdateOptions {\n  std::span<const float> state = {};\n};\n',
    ].join('\n'),
    'native/include/hotrow/store.h': [
      'struct TableStats {\n  uint64_t rows = 0;\n};',
      'struct ShrinkOptions {\n  uint64_t unseen_ms = 0;  ///< unused; for so long\n};\n',
    ].join('\n'),
    'lib/options.ts': [
      'export interface StoreOptions { memoryBytes?: number; threads?: number }',
      'interface TableOptions {}',
      'interface Shape { shape: number[] }\ninterface DenseOptions extends Shape {}',
      "type Optimizer = Readonly<{ kind: 'sgd' } | { kind: 'adam'; beta1: number }>",
      'interface OptimizerGroup { frozen?: boolean }',
      'interface PushOptions { learningRate?: number }',
      'interface AdmissionOptions { minCount?: number }',
      'interface GpuOptions { bytes?: number }',
      'interface EvictionOptions { maxRows?: number }',
      'interface LookupOptions { missing?: number }',
      'interface UpdateOptions { state?: Float32Array }',
      'interface ShrinkOptions { unseenMs?: number }',
      'type Initializer = Range\ntype Range = { low: number }\n',
    ].join('\n'),
  },
  bad: [
    { 'lib/options.ts': 'interface StoreOptions { memoryBytes?: number }\n' },
    { 'native/include/hotrow/options.h': 'struct StoreOptions {\n};\n' },
    { 'native/include/hotrow/batch.h': 'struct LookupOptions {\n  bool relaxed = false;\n};\n' },
    { 'native/include/hotrow/store.h': '\n' },
  ],
})

check('status codes are the same in C++ and TypeScript', {
  rule: statusCodes,
  good: {
    'native/include/hotrow/status_codes.def':
      'HOTROW_STATUS(1, A, "ERR_A", "call", "none", false)\n',
    'lib/errors.ts': "export type Code = 'ERR_A' // not 'ERR_B'\n",
  },
  bad: [
    { 'lib/errors.ts': "export type Code = 'ERR_A' | 'ERR_B'\n" },
    { 'lib/errors.ts': 'export type Code = never\n' },
    { 'native/include/hotrow/status_codes.def': '\n' },
  ],
})

check('nothing names the machine it was written on', {
  rule: noPlaces,
  good: { 'a.md': 'https://example.org/work/a, test/work/a\n' },
  bad: [
    { 'a.md': `see /${'work'}/main\n` },
    { 'a.json': `"https://registry.${'npmjs'}.org/a"\n` },
    { 'package-lock.json': `"resolved": "http${'s'}://a"\n` },
  ],
})

tidy.run()
