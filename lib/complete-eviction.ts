/** Admission and eviction as the addon reads them: see complete.ts. */
import type { NativeAdmission, NativeEviction } from './addon.ts'
import {
  checkBoolean,
  checkChoice,
  checkInteger,
  checkNumber,
  checkObject,
  type Fields,
} from './checks.ts'

/** In the order of the enums of options.h. */
export const admissionKinds = ['all', 'count', 'bloom', 'probability'] as const
export const policies = [
  'none',
  'lru',
  'lfu',
  'ageingLfu',
  'ttl',
  'oldestStep',
  'smallestNorm',
  'lowestScore',
  'random',
] as const
const admissionFields = ['kind', 'minCount', 'probability', 'capacity']
const evictionFields = [
  'policy',
  'maxRows',
  'maxBytes',
  'ttlMs',
  'halfLife',
  'demote',
  'background',
  'log',
]

/** The kind that the fields speak of, where none is named. */
function impliedKind({ minCount, probability, capacity }: Fields): string {
  if (capacity !== undefined) return 'bloom'
  if (minCount !== undefined) return minCount === 1 ? 'all' : 'count'
  return probability === undefined ? 'all' : 'probability'
}

export function completeAdmission(value: unknown): NativeAdmission {
  const fields = value === undefined ? {} : checkObject('admission', value, admissionFields)
  const { kind = impliedKind(fields), minCount = 1, probability = 1, capacity } = fields
  return {
    kind: checkChoice('admission.kind', kind, admissionKinds),
    minCount: checkInteger('admission.minCount', minCount, 1, 1_000_000),
    probability: checkNumber('admission.probability', probability),
    capacity: capacity === undefined ? 0 : checkInteger('admission.capacity', capacity, 1, 1e12),
  }
}

/** A limit: 0, which stands for none, when it is left out. */
function limit(fields: Fields, field: string): number {
  const value = fields[field]
  if (value === undefined) return 0
  return checkInteger(`eviction.${field}`, value, 1, Number.MAX_SAFE_INTEGER)
}

export function completeEviction(value: unknown): NativeEviction {
  const fields = value === undefined ? {} : checkObject('eviction', value, evictionFields)
  const policy = value === undefined ? 'none' : fields['policy']
  const { demote = false, background = false, log = 0 } = fields
  return {
    policy: checkChoice('eviction.policy', policy, policies),
    maxRows: limit(fields, 'maxRows'),
    maxBytes: limit(fields, 'maxBytes'),
    ttlMs: limit(fields, 'ttlMs'),
    halfLife: limit(fields, 'halfLife'),
    demote: checkBoolean('eviction.demote', demote),
    background: checkBoolean('eviction.background', background),
    log: checkInteger('eviction.log', log, 0, 2 ** 24),
  }
}
