// Wrong requests of lookupConcat: places that overlap or do not fit, keys that do not agree,
// numbers out of range. Each is refused at once, the request and the field named.

import { type ConcatRequest, open, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, keys, same } from '../support/arrays.ts'
import {
  assertRefusal,
  errorAtOnce,
  errorOf,
  type Fixture,
  type Kind,
  kDim,
  openFixture,
  refuses,
} from '../support/refusals.ts'

const test = suite<Fixture>('bad concat')

test.before.each(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after.each((fixture) => fixture.store.close())

const { NaN: kNaN, POSITIVE_INFINITY: kInfinity } = Number
const kMost = 2 ** 31 - 1
const kNotNumbers = [null, '1', [], {}, true, 1n, Symbol('1')]
const two = keys(1, 2)

/** Refused on the lane and on the calling thread. */
async function refusesBoth(
  fixture: Fixture,
  requests: readonly ConcatRequest[],
  kind: Kind,
  message: string | RegExp,
  options?: { stride?: number },
): Promise<void> {
  const { store } = fixture
  await refuses(fixture, () => store.lookupConcat(requests, options), { kind, message })
  await refuses(fixture, () => store.lookupConcatSync(requests, options), { kind, message })
}

test('offset and repeat out of range, and what is no integer, are refused', async (fixture) => {
  const { table } = fixture
  const limits = { offset: [0, kMost - kDim], repeat: [1, kMost] } as const
  for (const [field, [least, most]] of Object.entries(limits)) {
    const name = `requests\\[1\\] options\\.${field}`
    for (const value of [least - 1, -7, 1.5, most + 1, 2 ** 32 + 1, 2 ** 53, kNaN, kInfinity]) {
      const message = new RegExp(`^${name}: expected an integer from ${least} to ${most}, received`)
      const requests: ConcatRequest[] = [
        [table, two],
        [table, two, { [field]: value }],
      ]
      await refusesBoth(fixture, requests, 'RangeError', message)
    }
    for (const value of kNotNumbers) {
      const request: ConcatRequest = [table, two, { [field]: value as never }]
      const message = new RegExp(`^${name}: expected a number, received`)
      await refusesBoth(fixture, [[table, two], request], 'TypeError', message)
    }
  }
})

test('a stride that is too short or no integer is refused', async (fixture) => {
  const requests: ConcatRequest[] = [
    [fixture.table, two, { offset: 3 }],
    [fixture.table, two],
  ]
  for (const stride of [-1, 0, 4, 10, 10.5, kMost + 1, 2 ** 40, kNaN, kInfinity]) {
    const message = new RegExp(`^stride: expected an integer from 11 to ${kMost}, received`)
    await refusesBoth(fixture, requests, 'RangeError', message, { stride })
  }
  for (const value of kNotNumbers) {
    const stride = value as never
    await refusesBoth(fixture, requests, 'TypeError', /^stride: expected a number/, { stride })
  }
})

test('columns that meet are refused, whatever the order', async (fixture) => {
  const { table } = fixture
  const wide = await fixture.store.table('wide', { dim: 9, optimizer: sum() })
  const at = (offset: number, where = table): ConcatRequest => [where, two, { offset }]
  const next: ConcatRequest = [table, two]
  const cases: [ConcatRequest[], number, number][] = [
    [[next, at(0)], 1, 0],
    [[next, at(3)], 1, 0],
    [[at(3), at(0)], 1, 0],
    [[next, next, at(7)], 2, 1],
    [[at(2), at(0, wide)], 1, 0],
    [[at(0, wide), at(5)], 1, 0],
    [[at(8), at(0), next, next], 3, 0],
  ]
  for (const [requests, index, met] of cases) {
    const name = `requests\\[${index}\\] options\\.offset`
    const message = new RegExp(
      `^${name}: expected columns apart from those of requests\\[${met}\\]`,
    )
    await refusesBoth(fixture, requests, 'RangeError', message, { stride: 30 })
  }
})

test('keys and repeat that give other numbers of rows are refused', async (fixture) => {
  const { table } = fixture
  const cases: [ConcatRequest[], string][] = [
    [
      [
        [table, two],
        [table, keys(1)],
      ],
      'requests[1] keys x repeat: expected 2 rows as of requests[0], received 1',
    ],
    [
      [
        [table, keys()],
        [table, keys(1)],
      ],
      'requests[1] keys x repeat: expected 0 rows as of requests[0], received 1',
    ],
    [
      [
        [table, two, { repeat: 3 }],
        [table, keyRange(0, 6)],
        [table, two, { repeat: 2 }],
      ],
      'requests[2] keys x repeat: expected 6 rows as of requests[0], received 4',
    ],
    [
      [
        [table, two],
        [table, two, { repeat: 2 }],
      ],
      'requests[1] keys x repeat: expected 2 rows as of requests[0], received 4',
    ],
  ]
  for (const [requests, message] of cases) {
    await refusesBoth(fixture, requests, 'RangeError', message)
  }
})

test('more rows than there can be are refused before anything is made', async (fixture) => {
  const { store, table } = fixture
  const message = new RegExp(
    `^requests\\[0\\] keys x repeat: expected an integer from 0 to ${kMost}, received`,
  )
  await refusesBoth(fixture, [[table, two, { repeat: kMost }]], 'RangeError', message)
  const huge: ConcatRequest[] = [[table, keys(1), { repeat: kMost }]]
  const capacity = { kind: 'StoreError', code: 'ERR_CAPACITY', message: /no memory for a/ } as const
  for (const options of [{ stride: kMost }, { stride: 2 ** 29 }]) {
    assertRefusal(await errorOf(() => store.lookupConcat(huge, options)), capacity)
    assertRefusal(
      errorAtOnce(() => store.lookupConcatSync(huge, options)),
      capacity,
    )
    const out = filled(8, 5)
    await refuses(fixture, () => store.lookupConcatSync(huge, { ...options, out }), {
      kind: 'RangeError',
      message: /^out: expected \d+ values \(\d+ rows x stride \d+\), received 8$/,
    })
    same(out, filled(8, 5))
  }
})

test('an out that does not fit is refused with both lengths', async (fixture) => {
  const { store, table } = fixture
  const requests: ConcatRequest[] = [[table, two, { offset: 2 }]]
  for (const [length, stride, expected] of [
    [0, 6, 12],
    [11, 6, 12],
    [13, 6, 12],
    [12, 7, 14],
    [14, 6, 12],
  ] as const) {
    const out = filled(length, 3)
    const reason = `(2 rows x stride ${stride})`
    const message = `out: expected ${expected} values ${reason}, received ${length}`
    const call = () => store.lookupConcatSync(requests, { out, stride })
    await refuses(fixture, call, { kind: 'RangeError', message })
    assert.ok(out.every((value) => value === 3))
  }
})

test('places that are no objects or have other fields are refused', async (fixture) => {
  const { table } = fixture
  for (const place of [null, 5, 'offset', [], new Float32Array(8), new Uint8Array(1)]) {
    const requests = [[table, two, place]] as never
    const message = /^requests\[0\] options: expected an object/
    await refusesBoth(fixture, requests, 'TypeError', message)
  }
  const fields = 'offset, repeat, found, missing, relaxed, maxAgeMs'
  for (const field of ['out', 'stride', 'column', 'Offset']) {
    const message = `requests[0] options: expected only ${fields}, received '${field}'`
    await refusesBoth(fixture, [[table, two, { [field]: 1 }]], 'RangeError', message)
  }
})

test('options of the lookup are refused by the request’s name', async (fixture) => {
  const { table } = fixture
  const cases: [object, Kind, RegExp][] = [
    [{ missing: kNaN }, 'RangeError', /^requests\[1\] options\.missing: expected a finite number/],
    [{ missing: '0' }, 'TypeError', /^requests\[1\] options\.missing: expected a number/],
    [{ relaxed: 1 }, 'TypeError', /^requests\[1\] options\.relaxed: expected a boolean/],
    [{ found: [] }, 'TypeError', /^requests\[1\] options\.found: expected Uint8Array/],
    [{ found: new Uint8Array(2) }, 'RangeError', /^requests\[1\] options\.found: expected 1 bytes/],
  ]
  for (const [place, kind, message] of cases) {
    await refusesBoth(
      fixture,
      [
        [table, two],
        [table, two, place],
      ],
      kind,
      message,
    )
  }
})

test('lookupConcat has no out: what it gives is its own', async (fixture) => {
  const { store, table } = fixture
  const message = "options: expected only stride, received 'out'"
  const options = { out: filled(8, 0) } as never
  const call = () => store.lookupConcat([[table, two]], options)
  await refuses(fixture, call, { kind: 'RangeError', message })
})

test('tables of another store are refused, and out is left alone', async (fixture) => {
  const { store, table } = fixture
  await using elsewhere = await open(':memory:')
  const stranger = await elsewhere.table('table', { dim: 4, optimizer: sum() })
  const requests: ConcatRequest[] = [
    [table, two],
    [stranger, two],
  ]
  const message = /^requests\[1\]: expected a table of this store/
  const refusal = { kind: 'StoreError', message } as const
  await refuses(fixture, () => store.lookupConcat(requests), refusal)
  const out = filled(16, 3)
  assertRefusal(
    errorAtOnce(() => store.lookupConcatSync(requests, { out })),
    refusal,
  )
  same(out, filled(16, 3))
})

test('a table whose dim was overwritten by hand does no harm', async (fixture) => {
  const { store } = fixture
  for (const dim of [0, 1, 3, 5, 1000, -4, 0.5, kNaN, 2 ** 40, 'x', null]) {
    const forged = await store.table('table', fixture.table.options)
    Object.assign(forged, { dim })
    const calls = [
      () => store.lookupConcat([[forged, two]]),
      () =>
        store.lookupConcatSync(
          [
            [forged, two],
            [forged, two],
          ],
          { stride: 8, out: filled(16, 0) },
        ),
      () => forged.lookup(two),
      () => forged.lookupSync(two),
    ]
    for (const call of calls)
      await Promise.resolve()
        .then(call)
        .catch(() => {})
  }
  same(await fixture.table.lookup(two), fixture.table.lookupSync(two))
})

test("an inherited out is nobody's wish", async ({ store, table }) => {
  const mine = filled(2 * kDim, 7)
  const given = await store.lookupConcat([[table, two]], Object.create({ out: mine }))
  assert.is.not(given, mine)
  same(mine, filled(2 * kDim, 7))
})

test.run()
