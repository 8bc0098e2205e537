/** Collects messages and lets a test wait for the next one that matches. */
export function createMessages() {
  const all: string[] = []
  const waiting = new Set<{ pattern: RegExp; resolve: (text: string) => void }>()
  return {
    all,
    say: (text: string) => {
      all.push(text)
      for (const each of waiting) {
        if (!each.pattern.test(text)) continue
        waiting.delete(each)
        each.resolve(text)
      }
    },
    next: (pattern: RegExp) =>
      new Promise<string>((resolve) => {
        waiting.add({ pattern, resolve })
      })
  }
}
