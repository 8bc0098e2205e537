import { featuresOf } from './features.ts'

/** Dimensions of `offline-embedding-small`. */
export const DIMENSIONS = 1536
const BLOCK = 512

/**
 * The embedding of a text: its features hashed with signs into 1,536 places (Weinberger et al., "Feature Hashing for
 * Large Scale Multitask Learning"), turned by a fixed orthogonal transform so that any leading part is as good as a
 * hash into that many places, cut to `dimensions`, and scaled to length 1.
 */
export function embed(text: string, dimensions = DIMENSIONS): Float32Array {
  const places = new Float64Array(DIMENSIONS)
  for (const [name, weight] of featuresOf(text)) {
    const hash = hashOf(name)
    const place = (hash >>> 1) % DIMENSIONS
    places[place] = (places[place] as number) + (hash & 1 ? weight : -weight)
  }
  turn(places)
  return unit(places.subarray(0, dimensions))
}

/** Cosine of two unit vectors of the same length. */
export function similarity(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += (a[at] as number) * (b[at] as number)
  return sum
}

/** FNV-1a over UTF-16 units, then a finalizer that spreads the low bits (constants of MurmurHash3). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Walsh–Hadamard within three blocks of 512, then a rotation across the blocks: lengths and angles stay as they are. */
function turn(places: Float64Array): void {
  for (let start = 0; start < DIMENSIONS; start += BLOCK) hadamard(places.subarray(start, start + BLOCK))
  for (let at = 0; at < BLOCK; at++) {
    const a = places[at] as number
    const b = places[at + BLOCK] as number
    const c = places[at + 2 * BLOCK] as number
    places[at] = (a + b + c) / Math.sqrt(3)
    places[at + BLOCK] = (a - b) / Math.SQRT2
    places[at + 2 * BLOCK] = (a + b - 2 * c) / Math.sqrt(6)
  }
}

function hadamard(block: Float64Array): void {
  for (let half = 1; half < block.length; half *= 2) {
    for (let start = 0; start < block.length; start += 2 * half) {
      for (let at = start; at < start + half; at++) {
        const a = block[at] as number
        const b = block[at + half] as number
        block[at] = a + b
        block[at + half] = a - b
      }
    }
  }
  // The scale by sqrt(512) is left out: the length is set to 1 afterwards.
}

function unit(places: Float64Array): Float32Array {
  let square = 0
  for (const value of places) square += value * value
  const length = Math.sqrt(square)
  const vector = new Float32Array(places.length)
  if (length === 0) vector[0] = 1
  else for (let at = 0; at < places.length; at++) vector[at] = (places[at] as number) / length
  return vector
}
