import { linesOf } from './line.ts'

const firstKey = /^[A-Za-z_][\w-]*:(?=[ \t]|$)/

/**
 * Where the YAML ends that some texts begin with, between `---` and `---` or `...`; 0 when there is none. CommonMark does
 * not know it and would read its last lines as a heading, under which everything would stand.
 */
export function frontMatterEnd(text: string): number {
  if (!text.startsWith('---')) return 0
  let number = 0
  for (const { from, end, to } of linesOf(text)) {
    const line = text.slice(from, end).trimEnd()
    number += 1
    if (number === 1 ? line !== '---' : number === 2 && !firstKey.test(line)) return 0
    if (number > 2 && (line === '---' || line === '...')) return to
  }
  return 0
}
