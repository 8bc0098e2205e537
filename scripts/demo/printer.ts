import type { JobView } from '../../lib/schemas/job.ts'

type Output = { write(text: string): unknown; isTTY?: boolean; columns?: number }

export type Printer = ReturnType<typeof createPrinter>

/** Writes headed, wrapped paragraphs; with colours on a terminal. */
export function createPrinter(output: Output) {
  const width = Math.min(output.columns ?? 100, 100)
  const styled = (code: number, text: string) => (output.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text)
  const line = (text = '') => output.write(`${text}\n`)

  return {
    line,
    heading: (text: string) => line(`\n${styled(1, text)}`),
    /** Wraps at words, each line of the text by itself. */
    text(text: string, indent = 2) {
      for (const part of text.trim().split('\n')) {
        for (const wrapped of wrap(part, width - indent)) line(' '.repeat(indent) + wrapped)
      }
    },
    /** What was asked, as one could send it. */
    request: (path: string, body: object) =>
      line(styled(2, `  POST /api/v1${path} ${shorten(JSON.stringify(body), width)}`)),
    /** Time, tokens and cost of a job. */
    cost({ usage, createdAt, finishedAt, attempts }: JobView) {
      const tookMs = finishedAt ? Date.parse(finishedAt) - Date.parse(createdAt) : 0
      const tokens = `${usage.promptTokens} prompt + ${usage.completionTokens} completion tokens`
      const tries = attempts > 1 ? `, ${attempts} attempts` : ''
      line(styled(2, `  ${tookMs} ms, ${tokens}, ${usage.costUsd} USD${tries}`))
    }
  }
}

/** Splits a line at its spaces; a word longer than the width stands alone. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let current = ''
  for (const word of text.split(/(?<=\S)\s(?=\S)/)) {
    if (current !== '' && current.length + 1 + word.length > width) {
      lines.push(current)
      current = word
    } else current = current === '' ? word : `${current} ${word}`
  }
  return [...lines, current]
}

/** The beginning of a text, on one line. */
export function shorten(text: string, length: number): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim()
  return flat.length <= length ? flat : `${flat.slice(0, length - 1).trimEnd()}…`
}
