// Wrong admission and eviction: fields of wrong types, out of range, and fields that contradict
// each other. Each is refused at once, the field named, and no table is made.

import type { TableOptions } from 'hotrow'
import { suite } from 'uvu'
import { type Fixture, type Kind, openFixture, type Refusal, refuses } from '../support/refusals.ts'

const test = suite<Fixture>('bad eviction')

test.before(async (fixture) => {
  Object.assign(fixture, await openFixture())
})
test.after((fixture) => fixture.store.close())

type Wrong = [value: unknown, kind: Kind, message: string | RegExp]

const { NaN: kNaN, POSITIVE_INFINITY: kInfinity } = Number
const kNotNumbers = [null, '1', [], {}, true, 1n]
const kNotObjects = [null, 5, 'lru', true, [], ['lru'], () => 1, new Float32Array(1)]

const range = (message: RegExp | string): [Kind, RegExp | string] => ['RangeError', message]

/** What is no integer in a field of `made`, from `least` to `most`. */
function notIntegers(
  field: string,
  make: (value: unknown) => object,
  least: number,
  most: number,
): Wrong[] {
  const wrong = [least - 1, -1, 1.5, most + 1, -kInfinity, kInfinity, kNaN]
  const name = field.replace('.', '\\.')
  return [
    ...wrong
      .filter((value) => !Number.isSafeInteger(value) || value < least || value > most)
      .map((value): Wrong => [make(value), ...range(new RegExp(`^${name}: expected an integer`))]),
    ...kNotNumbers.map(
      (value): Wrong => [make(value), 'TypeError', new RegExp(`^${name}: expected a number`)],
    ),
  ]
}

const kSafe = Number.MAX_SAFE_INTEGER

const kAdmission: Wrong[] = [
  ...kNotObjects.map((value): Wrong => [value, 'TypeError', /^admission: expected an object/]),
  [{ mincount: 2 }, ...range(/^admission: expected only kind, minCount, .*, received 'mincount'$/)],
  [{ kind: 'rare' }, ...range(/^admission\.kind: expected one of 'all', .*, received 'rare'$/)],
  ...[0, null, ['all']].map(
    (kind): Wrong => [{ kind }, 'TypeError', /^admission\.kind: expected one of/],
  ),
  ...notIntegers('admission.minCount', (minCount) => ({ minCount }), 1, 1_000_000),
  ...notIntegers('admission.capacity', (capacity) => ({ minCount: 2, capacity }), 1, 1e12),
  ...[0, 1, -0.5, 1.5, kNaN, kInfinity, 1e-60, 1 - 1e-12].map(
    (probability): Wrong => [
      { kind: 'probability', probability },
      ...range(/^admission\.probability: expected a number above 0 and below 1, received/),
    ],
  ),
  ...kNotNumbers.map(
    (probability): Wrong => [
      { probability },
      'TypeError',
      /^admission\.probability: expected a number/,
    ],
  ),
]

const kContradictingAdmission: Wrong[] = [
  [{ kind: 'count' }, ...range(/^admission\.minCount: expected an integer from 2 to/)],
  [{ kind: 'count', minCount: 1 }, ...range(/^admission\.minCount: expected an integer from 2/)],
  [{ capacity: 1000 }, ...range(/^admission\.minCount: expected an integer from 2/)],
  [{ kind: 'bloom', minCount: 2 }, ...range(/^admission\.capacity: expected an integer from 1/)],
  [{ minCount: 256, capacity: 10 }, ...range(/^admission\.minCount: .* 255 .*kind 'bloom'/)],
  [
    { kind: 'all', minCount: 2 },
    ...range(/^admission\.minCount: expected nothing unless admission\.kind is 'count' or 'bloom'/),
  ],
  [
    { kind: 'probability', probability: 0.5, minCount: 2 },
    ...range(/^admission\.minCount: expected nothing unless admission\.kind is/),
  ],
  [
    { kind: 'count', minCount: 2, capacity: 10 },
    ...range(
      /^admission\.capacity: expected nothing unless admission\.kind is 'bloom', received 10/,
    ),
  ],
  [
    { minCount: 2, probability: 0.5 },
    ...range(/^admission\.probability: expected nothing unless .*'probability', received 0\.5$/),
  ],
  [
    { minCount: 2, capacity: 10, probability: 0.5 },
    ...range(/^admission\.probability: expected nothing unless .*'probability'/),
  ],
  [{ kind: 'probability' }, ...range(/^admission\.probability: expected a number above 0/)],
]

const kEviction: Wrong[] = [
  ...kNotObjects.map((value): Wrong => [value, 'TypeError', /^eviction: expected an object/]),
  [{}, 'TypeError', /^eviction\.policy: expected one of 'none', .*, received undefined$/],
  [{ maxRows: 5 }, 'TypeError', /^eviction\.policy: expected one of/],
  [{ policy: 'LRU' }, ...range(/^eviction\.policy: .*, received 'LRU'$/)],
  ...[0, null, ['lru']].map(
    (policy): Wrong => [{ policy }, 'TypeError', /^eviction\.policy: expected one of/],
  ),
  [{ policy: 'lru', maxrows: 5 }, ...range(/^eviction: expected only policy, .*'maxrows'$/)],
  ...(['maxRows', 'maxBytes', 'halfLife', 'ttlMs'] as const).flatMap((field) => {
    const policy = field === 'halfLife' ? 'ageingLfu' : 'lru'
    return notIntegers(`eviction.${field}`, (value) => ({ policy, [field]: value }), 1, kSafe)
  }),
  ...notIntegers('eviction.log', (log) => ({ policy: 'lru', log }), 0, 2 ** 24),
  ...[0, 1, 'true', null, {}].map(
    (background): Wrong => [
      { policy: 'lru', background },
      'TypeError',
      /^eviction\.background: expected a boolean/,
    ],
  ),
  ...[1, 1000, 2 ** 23 - 1].map(
    (maxBytes): Wrong => [
      { policy: 'lru', maxBytes },
      ...range(`eviction.maxBytes: expected at least 8388608 (8 MiB), received ${maxBytes}`),
    ],
  ),
  [
    { policy: 'ttl', ttlMs: 11 * 366 * 86_400_000 },
    ...range(/^eviction\.ttlMs: expected at most ten years/),
  ],
]

const kContradictingEviction: Wrong[] = [
  ...[{ maxRows: 5 }, { maxBytes: 2 ** 30 }, { ttlMs: 5 }, { background: true }].map(
    (fields): Wrong => [
      { policy: 'none', ...fields },
      ...range(
        new RegExp(`^eviction\\.${Object.keys(fields)}: expected a policy in eviction\\.pol`),
      ),
    ],
  ),
  [{ policy: 'ttl' }, ...range(/^eviction\.ttlMs: .* with eviction\.policy 'ttl'/)],
  ...(['ageingLfu', 'oldestStep', 'smallestNorm', 'lowestScore', 'random'] as const).map(
    (policy): Wrong => [
      { policy, ttlMs: 5 },
      ...range(
        /^eviction\.ttlMs: expected nothing unless eviction\.policy is 'ttl', 'lru' or 'lfu'/,
      ),
    ],
  ),
  ...[{ maxRows: 5 }, { maxBytes: 2 ** 30 }].map(
    (fields): Wrong => [
      { policy: 'ttl', ttlMs: 1000, ...fields },
      ...range(new RegExp(`^eviction\\.${Object.keys(fields)}: expected nothing with .*'ttl'`)),
    ],
  ),
  ...(['none', 'lru', 'lfu', 'random'] as const).map(
    (policy): Wrong => [
      { policy, halfLife: 5 },
      ...range(/^eviction\.halfLife: expected nothing unless eviction\.policy is 'ageingLfu'/),
    ],
  ),
]

const kLists: [string, string, Wrong[]][] = [
  ['wrong admission', 'admission', kAdmission],
  ['contradicting admission', 'admission', kContradictingAdmission],
  ['wrong eviction', 'eviction', kEviction],
  ['contradicting eviction', 'eviction', kContradictingEviction],
]

for (const [what, field, list] of kLists) {
  test(`${what} is refused and no table is made`, async (fixture) => {
    for (const [value, kind, message] of list) {
      const options = { dim: 4, [field]: value } as unknown as TableOptions
      const refusal: Refusal = { kind, message }
      await refuses(fixture, () => fixture.store.table('new', options), refusal)
    }
  })
}

test('the limits themselves are legal', async ({ store }) => {
  const legal: Partial<TableOptions>[] = [
    { admission: { minCount: 1_000_000 } },
    { admission: { minCount: 255, capacity: 1 } },
    { admission: { probability: 1e-6 } },
    { admission: {} },
    { eviction: { policy: 'none', log: 2 ** 24 } },
    { eviction: { policy: 'lru', maxRows: 1, maxBytes: 2 ** 23, ttlMs: 1, background: true } },
    { eviction: { policy: 'lfu', maxRows: kSafe, maxBytes: kSafe } },
    { eviction: { policy: 'ttl', ttlMs: 10 * 366 * 86_400_000, background: false } },
    { eviction: { policy: 'ageingLfu', halfLife: kSafe, log: 0 } },
    { eviction: { policy: 'ageingLfu', halfLife: 1, maxRows: 1 } },
  ]
  for (const options of legal) {
    const table = await store.table('legal', { dim: 8192, ...options })
    await table.push(BigUint64Array.of(5n), new Float32Array(8192))
    await table.push(BigUint64Array.of(6n), new Float32Array(8192))
    await table.decay(0.5)
    await store.drop('legal')
  }
})

test.run()
