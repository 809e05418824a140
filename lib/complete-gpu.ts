/** Options of a GPU as the addon reads them. */
import type { NativeGpu } from './addon.ts'
import { checkChoice, checkInteger, checkObject, checkShare } from './checks.ts'
import { rangeError, typeError } from './errors.ts'
import type { GpuOptions } from './options.ts'

/** In the order of the enums of options.h. */
const gpuPolicies = ['lru', 'lfu', 'ageingLfu', 'epochLru', 'epochLfu', 'custom'] as const
const promotions = ['secondTouch', 'always'] as const
const fields = ['device', 'bytes', 'policy', 'promotion', 'fillAbove']

const leastBytes = 2 ** 20
const mostBytes = 2 ** 46
const units: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}
/** TableOptions::gpu when nothing is asked for. */
const halfOfRest = -1

/** A number of bytes, or a text like '8GiB'. */
function checkBytes(argument: string, value: unknown): number {
  if (typeof value !== 'string') {
    if (typeof value === 'number') return checkInteger(argument, value, leastBytes, mostBytes)
    throw typeError(argument, "a number of bytes or a string like '8GiB'", value)
  }
  const [, count, unit] = /^(\d+(?:\.\d+)?) ?(B|[KMGT]iB)$/.exec(value) ?? []
  if (count === undefined || unit === undefined) {
    throw rangeError(argument, "a number and B, KiB, MiB, GiB or TiB, as in '8GiB'", value)
  }
  const bytes = Math.floor(Number(count) * units[unit]!)
  if (bytes >= leastBytes && bytes <= mostBytes) return bytes
  throw rangeError(argument, "'1MiB' to '64TiB'", value)
}

export function completeGpu(options: GpuOptions | undefined): NativeGpu {
  if (options === undefined) return { device: 0, bytes: 0, policy: 2, promotion: 0, fillAbove: 1 }
  checkObject('gpu', options, fields)
  const {
    device = 0,
    bytes,
    policy = 'ageingLfu',
    promotion = 'secondTouch',
    fillAbove = 1,
  } = options
  return {
    device: checkInteger('gpu.device', device, 0, 1023),
    bytes: checkBytes('gpu.bytes', bytes),
    policy: checkChoice('gpu.policy', policy, gpuPolicies),
    promotion: checkChoice('gpu.promotion', promotion, promotions),
    fillAbove: checkShare('gpu.fillAbove', fillAbove),
  }
}

/** A table's share of the store's bytes. */
export function completeGpuShare(share: unknown): number {
  if (share === undefined) return halfOfRest
  if (share === false) return 0
  if (typeof share !== 'number') throw typeError('gpu', 'false or a number', share)
  // As f32 holds it: what it would round to 0 is none.
  if (share <= 1 && Math.fround(share) > 0) return share
  throw rangeError('gpu', 'false or a number above 0 and at most 1', share)
}
