import { featuresOf } from './features.ts'

/** A text's features as they are, not hashed: cheaper than an embedding where texts are compared once and thrown away. */
export type Sketch = { features: ReadonlyMap<string, number>; length: number }

export function sketch(text: string): Sketch {
  const features = featuresOf(text)
  let square = 0
  for (const weight of features.values()) square += weight * weight
  return { features, length: Math.sqrt(square) }
}

/** Cosine of two texts' features, 0 to 1. */
export function likeness(a: Sketch, b: Sketch): number {
  const [small, large] = a.features.size < b.features.size ? [a, b] : [b, a]
  let sum = 0
  for (const [name, weight] of small.features) sum += weight * (large.features.get(name) ?? 0)
  return sum / (a.length * b.length)
}
