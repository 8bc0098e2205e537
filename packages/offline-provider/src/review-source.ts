/** The code a review is about, with the number its first line has in the original. */
export type Source = { language: string; lines: string[]; firstLine: number }

/**
 * The last fenced block of a message; fences stand at the beginning of a line. Line numbers written before the lines
 * (`12| ` or `12: ` on every line) are taken off and kept.
 */
export function sourceIn(text: string): Source | undefined {
  const lines = text.split(/\r\n|\r|\n/)
  const closed = lines.findLastIndex((line) => /^```\s*$/.test(line))
  const open = lines.slice(0, closed < 0 ? lines.length : closed).findLastIndex((line) => line.startsWith('```'))
  if (open < 0 && closed < 0) return undefined
  const [start, end] = open < 0 ? [closed, lines.length] : [open, closed < 0 ? lines.length : closed]
  const code = lines.slice(start + 1, end)
  const language =
    normalLanguage(/^```([\w+#.-]*)/.exec(lines[start] ?? '')?.[1] ?? '') || guessLanguage(code.join('\n'))
  return numbered(code, language)
}

function numbered(lines: string[], language: string): Source {
  const matches = lines.map((line) => /^\s*(\d{1,6})(?:\||:|\t) ?(.*)$/.exec(line))
  const all = lines.every((line, index) => line.trim() === '' || matches[index])
  const first = matches.find((match) => match !== null)
  if (!all || !first) return { language, lines, firstLine: 1 }
  return { language, lines: matches.map((match) => match?.[2] ?? ''), firstLine: Number(first[1]) }
}

function normalLanguage(name: string): string {
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
  if (/^[^\S\r\n]*(?:def |class \w.*:|import \w+$|from \w+ import)/m.test(code)) return 'python'
  return /[{};]|=>/.test(code) ? 'javascript' : ''
}
