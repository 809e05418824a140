// XXH64 in BigInt arithmetic, from its specification (seed 0): slow, and made to be compared with.

const kP1 = 0x9e3779b185ebca87n
const kP2 = 0xc2b2ae3d27d4eb4fn
const kP3 = 0x165667b19e3779f9n
const kP4 = 0x85ebca77c2b2ae63n
const kP5 = 0x27d4eb2f165667c5n

const cut = (x: bigint): bigint => BigInt.asUintN(64, x)
const turn = (x: bigint, by: bigint): bigint => cut((x << by) | (x >> (64n - by)))
const round = (sum: bigint, input: bigint): bigint => cut(turn(cut(sum + input * kP2), 31n) * kP1)
const merge = (sum: bigint, lane: bigint): bigint => cut((sum ^ round(0n, lane)) * kP1 + kP4)

/** The four lanes over all whole blocks of 32 bytes, joined. */
function blocks(view: DataView, count: number): bigint {
  const lanes = [cut(kP1 + kP2), kP2, 0n, cut(-kP1)]
  for (let block = 0; block < count; block++) {
    for (let i = 0; i < 4; i++) {
      lanes[i] = round(lanes[i] as bigint, view.getBigUint64(block * 32 + i * 8, true))
    }
  }
  const turns = [1n, 7n, 12n, 18n]
  const joined = cut(lanes.reduce((sum, lane, i) => sum + turn(lane, turns[i] as bigint), 0n))
  return lanes.reduce(merge, joined)
}

export function xxh64(input: Uint8Array): bigint {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  const whole = Math.floor(input.length / 32)
  let sum = cut((whole > 0 ? blocks(view, whole) : kP5) + BigInt(input.length))
  let at = whole * 32
  for (; at + 8 <= input.length; at += 8) {
    sum = cut(turn(sum ^ round(0n, view.getBigUint64(at, true)), 27n) * kP1 + kP4)
  }
  if (at + 4 <= input.length) {
    const word = BigInt(view.getUint32(at, true))
    sum = cut(turn(sum ^ cut(word * kP1), 23n) * kP2 + kP3)
    at += 4
  }
  for (; at < input.length; at++) {
    sum = cut(turn(sum ^ cut(BigInt(input[at] as number) * kP5), 11n) * kP1)
  }
  sum = cut((sum ^ (sum >> 33n)) * kP2)
  sum = cut((sum ^ (sum >> 29n)) * kP3)
  return sum ^ (sum >> 32n)
}
