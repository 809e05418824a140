// Seeded random numbers, so that a run can be repeated.

/** A generator of numbers in [0, 1): xorshift32, 32 bits of state. */
export function uniformSource(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Fills `values` with normal numbers of mean 0 (Box and Muller, 1958). */
export function fillNormal(values: Float32Array, stddev: number, seed: number): void {
  const uniform = uniformSource(seed)
  for (let i = 0; i < values.length; i += 2) {
    const radius = stddev * Math.sqrt(-2 * Math.log(1 - uniform()))
    const angle = 2 * Math.PI * uniform()
    values[i] = radius * Math.cos(angle)
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle)
  }
}
