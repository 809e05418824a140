// Wrong arguments of tiers and what reads and fills them: each refused at once, and named.

import {
  importVersion,
  lookupAllTiered,
  open,
  redisClusterTier,
  type Store,
  type Table,
  type TieredTable,
  tieredTable,
} from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { detach, filled, keys, same } from '../support/arrays.ts'
import { assertRefusal, errorAtOnce, errorOf, type Kind } from '../support/refusals.ts'
import { MapTier, VersionedMapTier } from '../support/tiers.ts'

interface Context {
  store: Store
  local: Table
  tier: MapTier
  tiered: TieredTable
}

const test = suite<Context>('bad tiers')

test.before.each(async (context) => {
  context.store = await open(':memory:')
  context.local = await context.store.table('t', { dim: 2 })
  context.tier = new MapTier()
  context.tiered = tieredTable(context.local, context.tier)
})
test.after.each(({ store }) => store.close())

type Case = [call: (context: Context) => unknown, kind: Kind, message: string | RegExp]

/** `any`, for what JavaScript might pass. */
const wrong = (value: unknown): never => value as never
const two = keys(1, 2)

const kLookups: Case[] = [
  [({ tiered }) => tiered.lookup(wrong([1n])), 'TypeError', /^keys: expected BigUint64Array/],
  [({ tiered }) => tiered.lookup(wrong(undefined)), 'TypeError', /^keys: expected BigUint64Arr/],
  [({ tiered }) => tiered.lookup(two, wrong(5)), 'TypeError', /^options: expected an object/],
  [
    ({ tiered }) => tiered.lookup(two, wrong({ outs: 1 })),
    'RangeError',
    "options: expected only out, signal, found, missing, relaxed, maxAgeMs, received 'outs'",
  ],
  [
    ({ tiered }) => tiered.lookup(two, { out: new Float32Array(3) }),
    'RangeError',
    'out: expected 4 values, received 3',
  ],
  [
    ({ tiered }) => tiered.lookup(two, { out: wrong(new Float64Array(4)) }),
    'TypeError',
    'out: expected Float32Array, received Float64Array',
  ],
  [
    ({ tiered }) => tiered.lookup(two, { found: new Uint8Array(2) }),
    'RangeError',
    'found: expected 1 bytes, received 2',
  ],
  [
    ({ tiered }) => tiered.lookup(two, { found: wrong([0]) }),
    'TypeError',
    'found: expected Uint8Array, received Array',
  ],
  [
    ({ tiered }) => {
      const out = new Float32Array(4)
      return tiered.lookup(two, { out, found: new Uint8Array(out.buffer, 15, 1) })
    },
    'RangeError',
    /^found: expected memory apart from out/,
  ],
  [({ tiered }) => tiered.lookup(two, { missing: Number.NaN }), 'RangeError', /^missing: expected/],
  [({ tiered }) => tiered.lookup(two, { relaxed: wrong(1) }), 'TypeError', /^relaxed: expected/],
  [({ tiered }) => tiered.lookup(two, { signal: wrong({}) }), 'TypeError', /^signal: expected/],
  [() => lookupAllTiered(wrong(5)), 'TypeError', 'requests: expected an array, received 5'],
  [() => lookupAllTiered([wrong(7)]), 'TypeError', 'requests[0]: expected an array, received 7'],
  [
    ({ local }) => lookupAllTiered([[wrong(local), two]]),
    'TypeError',
    'requests[0]: expected a TieredTable, received Table',
  ],
  [
    ({ tiered }) =>
      lookupAllTiered([
        [tiered, two],
        [tiered, wrong([])],
      ]),
    'TypeError',
    'requests[1] keys: expected BigUint64Array, received Array',
  ],
  [
    ({ tiered, local }) =>
      lookupAllTiered([
        [tiered, two],
        [tieredTable(local, new MapTier()), two],
      ]),
    'RangeError',
    /^requests\[1\]: expected the tier of requests\[0\]/,
  ],
  [
    ({ tiered }) => lookupAllTiered([[tiered, two]], wrong({ out: 1 })),
    'RangeError',
    "options: expected only signal, received 'out'",
  ],
]

const kViews: Case[] = [
  [
    ({ tier }) => tieredTable(wrong({}), tier),
    'TypeError',
    'local: expected a Table, received Object',
  ],
  [
    ({ local }) => tieredTable(local, wrong({ getMany() {} })),
    'TypeError',
    'tier: expected a tier with getMany, setMany, close, received Object',
  ],
  [({ local }) => tieredTable(local, wrong(null)), 'TypeError', /^tier: expected a tier with/],
  [
    ({ local, tier }) => tieredTable(local, tier, wrong({ timeout: 5 })),
    'RangeError',
    "options: expected only timeoutMs, onError, promoteAfter, promotedRows, received 'timeout'",
  ],
  [
    ({ local, tier }) => tieredTable(local, tier, { onError: wrong('throw') }),
    'RangeError',
    "onError: expected one of 'reject', 'missing', received 'throw'",
  ],
  ...(
    [
      ['timeoutMs', 1, 3_600_000],
      ['promoteAfter', 0, 255],
      ['promotedRows', 1, 2 ** 30],
    ] as const
  ).flatMap(([name, least, most]): Case[] =>
    [least - 1, most + 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3', null, 3n].map((value) => [
      ({ local, tier }) => tieredTable(local, tier, wrong({ [name]: value })),
      typeof value === 'number' ? 'RangeError' : 'TypeError',
      new RegExp(`^${name}: expected an? (integer from ${least} to ${most}|number), received`),
    ]),
  ),
]

const versioned = new VersionedMapTier()

const kImports: Case[] = [
  [
    () => importVersion(wrong({}), versioned, { version: 1 }),
    'TypeError',
    /^tables: expected an a/,
  ],
  [
    () => importVersion([wrong(null)], versioned, { version: 1 }),
    'TypeError',
    /^tables\[0\]: expec/,
  ],
  [
    ({ local }) =>
      importVersion([local, wrong({ name: 'x', dim: 0, scan() {} })], versioned, { version: 1 }),
    'RangeError',
    'tables[1].dim: expected an integer from 1 to 8192, received 0',
  ],
  [
    ({ local }) => importVersion([local, local], versioned, { version: 1 }),
    'RangeError',
    "tables[1]: expected tables of different names, received 't'",
  ],
  [
    ({ local, tier }) => importVersion([local], wrong(tier), { version: 1 }),
    'TypeError',
    'tier: expected a tier with getMany, setMany, close, beginImport, received MapTier',
  ],
  [
    ({ local }) => importVersion([local], versioned, wrong(undefined)),
    'TypeError',
    /^options: expec/,
  ],
  [
    ({ local }) => importVersion([local], versioned, wrong({})),
    'TypeError',
    /^version: expected a/,
  ],
  ...(
    [
      [{ version: 0 }, 'RangeError', /^version: expected an integer from 1/],
      [{ version: 1, parallel: 65 }, 'RangeError', /^parallel: expected an integer from 1 to 64/],
      [
        { version: 1, pageRows: 0 },
        'RangeError',
        /^pageRows: expected an integer from 1 to 1048576/,
      ],
      [{ version: 1, activate: 1 }, 'TypeError', /^activate: expected a boolean/],
      [{ version: 1, onProgress: 1 }, 'TypeError', /^onProgress: expected a function/],
      [{ version: 1, signal: 1 }, 'TypeError', /^signal: expected an AbortSignal/],
      [
        { version: 1, pages: 1 },
        'RangeError',
        /^options: expected only version, parallel, pageRow/,
      ],
    ] as const
  ).map(
    ([options, kind, message]): Case => [
      ({ local }) => importVersion([local], versioned, wrong(options)),
      kind,
      message,
    ],
  ),
]

const nodes = [{ host: '127.0.0.1', port: 7000 }]

const kClusters: Case[] = (
  [
    [undefined, 'TypeError', /^options: expected an object/],
    [{ nodes }, 'TypeError', 'prefix: expected a string, received undefined'],
    [{ nodes, prefix: '' }, 'RangeError', /^prefix: expected 1 to 64 letters, digits and \._-/],
    [{ nodes, prefix: 'a{b}' }, 'RangeError', /^prefix: expected 1 to 64 letters/],
    [{ nodes, prefix: 'a'.repeat(65) }, 'RangeError', /^prefix: expected 1 to 64 letters/],
    [{ prefix: 'a' }, 'TypeError', 'nodes: expected an array, received undefined'],
    [{ nodes: [], prefix: 'a' }, 'RangeError', 'nodes: expected at least one node, received 0'],
    [
      { nodes: ['a:1'], prefix: 'a' },
      'TypeError',
      /^nodes\[0\]: expected an object, received 'a:1'/,
    ],
    [{ nodes: [{ host: 1 }], prefix: 'a' }, 'TypeError', /^nodes\[0\]\.host: expected a string/],
    [
      { nodes: [...nodes, { host: 'a', port: 65_536 }], prefix: 'a' },
      'RangeError',
      'nodes[1].port: expected an integer from 1 to 65535, received 65536',
    ],
    [
      { nodes, prefix: 'a', timeoutMs: 0 },
      'RangeError',
      /^timeoutMs: expected an integer from 1 to/,
    ],
    [{ nodes, prefix: 'a', refreshMs: -1 }, 'RangeError', /^refreshMs: expected an integer from 0/],
    [{ nodes, prefix: 'a', clusterOptions: 1 }, 'TypeError', /^clusterOptions: expected an object/],
    [
      { nodes, prefix: 'a', node: 1 },
      'RangeError',
      /^options: expected only nodes, clusterOptions/,
    ],
    [
      { client: {}, prefix: 'a' },
      'TypeError',
      'client: expected a Cluster of ioredis, received Object',
    ],
  ] as const
).map(([options, kind, message]): Case => [() => redisClusterTier(wrong(options)), kind, message])

for (const [what, cases] of [
  ['lookups', kLookups],
  ['views', kViews],
  ['imports', kImports],
  ['clusters', kClusters],
] as const) {
  test(`${what}: refused at once, and named`, (context) => {
    for (const [call, kind, message] of cases) {
      assertRefusal(
        errorAtOnce(() => call(context)),
        { kind, message },
      )
    }
    assert.equal(context.tier.calls, [])
    assert.is(versioned.versions.size, 0)
  })
}

for (const name of ['out', 'found'] as const) {
  test(`${name} detached under way: the lookup rejects and fills nothing`, async (context) => {
    const [out, found] = [filled(4, 9), Uint8Array.of(0xaa)]
    const looked = errorOf(() => context.tiered.lookup(two, { out, found }))
    detach(name === 'out' ? out : found)
    const message = `${name}: was detached or resized while the lookup was under way`
    assertRefusal(await looked, { kind: 'StoreError', message })
    if (name === 'out') assert.is(found[0], 0xaa)
    else same(out, filled(4, 9))
  })
}

test.run()
