/**
 * Which missed keys are worth a place in the local table, and which ones have one: both in bounded
 * memory, and without a bigint a key.
 */

/** A hash of a key's two halves, 32 bits: Murmur3's finalizer over both. */
export function hashWords(low: number, high: number): number {
  let h = low ^ Math.imul(high, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** A key's two halves: low at 2 i, high at 2 i + 1. */
export function wordsOf(keys: BigUint64Array): Uint32Array {
  return new Uint32Array(keys.buffer, keys.byteOffset, keys.length * 2)
}

/** Places of `Sightings`: 9 bytes each. */
const places = 2 ** 16

/**
 * Counts sightings of keys, the latest of those that share one of 65,536 places: another key begins
 * anew there. So rare keys seldom come to two, and memory is 576 KiB whatever the keys.
 */
export class Sightings {
  #words = new Uint32Array(0)
  #counts = new Uint8Array(0)

  /** Counts the key and tells whether it was seen `enough` times, 1 to 255: then it begins anew. */
  reaches(enough: number, low: number, high: number): boolean {
    // Views of tables that are never missed need no memory.
    if (this.#counts.length === 0) {
      this.#words = new Uint32Array(2 * places)
      this.#counts = new Uint8Array(places)
    }
    const place = hashWords(low, high) % places
    const same = this.#words[2 * place] === low && this.#words[2 * place + 1] === high
    const count = (same ? (this.#counts[place] as number) : 0) + 1
    this.#words[2 * place] = low
    this.#words[2 * place + 1] = high
    this.#counts[place] = count >= enough ? 0 : count
    return count >= enough
  }
}

/**
 * The keys that were promoted, oldest first, at most `most`: 8 bytes each. A key evicted by the
 * table and promoted again stands here twice, which costs nothing but its place.
 */
export class PromotedKeys {
  readonly most: number
  #ring: BigUint64Array = new BigUint64Array(0)
  #first = 0
  #length = 0

  constructor(most: number) {
    this.most = most
  }

  /** Adds keys, at most `most`, and gives those that have to go for them. */
  add(keys: BigUint64Array): BigUint64Array {
    const gone = this.#take(Math.max(0, this.#length + keys.length - this.most))
    this.#grow(this.#length + keys.length)
    for (const key of keys) {
      this.#ring[(this.#first + this.#length++) % this.#ring.length] = key
    }
    return gone
  }

  /** All of them; none is left. */
  clear(): BigUint64Array {
    return this.#take(this.#length)
  }

  #take(count: number): BigUint64Array {
    const taken = new BigUint64Array(count)
    for (let i = 0; i < count; i++) {
      taken[i] = this.#ring[(this.#first + i) % this.#ring.length] as bigint
    }
    this.#length -= count
    this.#first = this.#length === 0 ? 0 : (this.#first + count) % this.#ring.length
    return taken
  }

  #grow(length: number): void {
    if (length <= this.#ring.length) return
    const all = this.#take(this.#length)
    const size = Math.max(length, 2 * this.#ring.length, 64)
    this.#ring = new BigUint64Array(Math.min(size, this.most))
    this.#ring.set(all)
    this.#length = all.length
    this.#first = 0
  }
}
