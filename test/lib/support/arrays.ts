// Short ways to make and compare the arrays that tests pass around.

import * as assert from 'uvu/assert'

/** The largest key. */
export const kLastKey = 2n ** 64n - 1n

export function keys(...values: (number | bigint)[]): BigUint64Array {
  return BigUint64Array.from(values, BigInt)
}

/** [from, from + 1, …], `count` keys. */
export function keyRange(from: number, count: number): BigUint64Array {
  return BigUint64Array.from({ length: count }, (_, i) => BigInt(from + i))
}

export function floats(...values: number[]): Float32Array {
  return Float32Array.from(values)
}

/** `count` times `value`. */
export function filled(count: number, value: number): Float32Array {
  return new Float32Array(count).fill(value)
}

/** Values as f32 rounds them. */
export function rounded(...values: number[]): number[] {
  return values.map(Math.fround)
}

/** Equal element by element; zeros of both signs are equal. */
export function same(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what = 'values',
): void {
  assert.equal(
    Array.from(actual, (x) => x + 0),
    Array.from(expected, (x) => x + 0),
    what,
  )
}

/** Equal within `tolerance`, relative to the larger of 1 and the expected value. */
export function close(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance = 1e-5,
): void {
  assert.is(actual.length, expected.length, 'length')
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number]
    const apart = Math.abs(a - e) / Math.max(1, Math.abs(e))
    assert.ok(apart <= tolerance, `value ${i}: ${a}, expected ${e}`)
  }
}

/** The first `count` bits, lowest first, as a lookup's `found` has them. */
export function bitsOf(bytes: Uint8Array, count: number): boolean[] {
  return Array.from({ length: count }, (_, i) => (((bytes[i >> 3] as number) >> (i & 7)) & 1) === 1)
}

/** Takes the memory from under the array, as sending it to a worker does. */
export function detach(array: BigUint64Array | Float32Array | Uint32Array | Uint8Array): void {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })
  assert.is(array.length, 0)
}

/** A generator of uniform numbers in [0, 1): mulberry32. The same seed gives the same numbers. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` numbers in [-1, 1). */
export function randomFloats(count: number, seed: number): Float32Array {
  const next = randomNumbers(seed)
  return Float32Array.from({ length: count }, () => next() * 2 - 1)
}

/** An ArrayBuffer of ES2024, which the library that this project compiles against does not know. */
export interface ResizableBuffer extends ArrayBuffer {
  resize(byteLength: number): void
}

export function resizableBuffer(byteLength: number, maxByteLength: number): ResizableBuffer {
  const type = ArrayBuffer as unknown as new (
    byteLength: number,
    options: { maxByteLength: number },
  ) => ResizableBuffer
  return new type(byteLength, { maxByteLength })
}
