/** More letters than any name has that is looked for: what is longer is no misspelling of one. */
const longestName = 60

/** The name of a list that a word was most likely meant to be: at most two letters, or a fifth of them, are other. */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  if (word.length > longestName) return undefined
  const most = Math.max(2, Math.floor(word.length / 5))
  const [best] = names
    .map((name) => ({ name, distance: distanceOf(word.toLowerCase(), name.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  return best && best.distance <= most ? best.name : undefined
}

/** Letters that were added, left out or changed between two words (Levenshtein, 1966). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
