import { asData } from './untrusted-text.ts'
import type { Hit } from './state.ts'

export type Found = Omit<Hit, 'n'>

const maxContentChars = 16_000

/**
 * Numbers what was found, after the hits there are. The same text keeps the number it has, so that a tool that finds
 * again what was there before adds nothing.
 */
export function addHits(hits: Hit[], found: Found[]): { hits: Hit[]; numbered: Hit[] } {
  const all = [...hits]
  const numbered = found.map((one) => {
    const content = one.content.slice(0, maxContentChars).toWellFormed()
    const known = all.find(
      (hit) => hit.sourceType === one.sourceType && hit.sourceId === one.sourceId && hit.content === content
    )
    if (known) return known
    const hit = { n: all.length + 1, ...one, content }
    all.push(hit)
    return hit
  })
  return { hits: all, numbered: numbered.filter((hit, at) => numbered.indexOf(hit) === at) }
}

/** Hits as the model reads them: data, each under its number. */
export function passages(hits: Hit[]): string {
  return hits
    .map(({ n, sourceType, sourceId, title, content }) =>
      asData('passage', content, { n, type: sourceType, id: sourceId, title })
    )
    .join('\n')
}
