/** The code a review is about, with the number its first line has in the original. */
export type Source = { language: string; lines: string[]; firstLine: number }

/**
 * The last fenced block of a message, or the whole message when it looks like code. Line numbers written before the
 * lines (`12| ` or `12: ` on every line) are taken off and kept.
 */
export function sourceIn(text: string): Source | undefined {
  const fences = [...text.matchAll(/```([\w+#.-]*)[^\n]*\n([\s\S]*?)(?:\n?```|$)/g)]
  const last = fences.at(-1)
  if (!last) return undefined
  const language = normalLanguage(last[1] ?? '') || guessLanguage(last[2] ?? '')
  return numbered((last[2] ?? '').split('\n'), language)
}

function numbered(lines: string[], language: string): Source {
  const matches = lines.map((line) => /^\s*(\d{1,6})(?:\||:|\t) ?(.*)$/.exec(line))
  const all = lines.every((line, index) => line.trim() === '' || matches[index])
  const first = matches.find((match) => match !== null)
  if (!all || !first) return { language, lines, firstLine: 1 }
  return { language, lines: matches.map((match) => match?.[2] ?? ''), firstLine: Number(first[1]) }
}

export function normalLanguage(name: string): string {
  const lower = name.toLowerCase()
  const known: Record<string, string> = {
    js: 'javascript',
    jsx: 'javascript',
    mjs: 'javascript',
    ts: 'typescript',
    tsx: 'typescript',
    py: 'python',
    python3: 'python'
  }
  return known[lower] ?? lower
}

function guessLanguage(code: string): string {
  if (/^\s*(?:def |class \w+.*:|import \w+$|from \w+ import)/m.test(code)) return 'python'
  return /[{};]|=>/.test(code) ? 'javascript' : ''
}
