const maxChars = 80

/** A thread is called by the beginning of its first message: one line, cut between words. */
export function titleOf(message: string): string {
  const line = message.replace(/\s+/g, ' ').trim()
  if (line.length <= maxChars) return line
  const cut = line.slice(0, maxChars - 1)
  const space = cut.lastIndexOf(' ')
  return `${cut.slice(0, space > maxChars / 2 ? space : undefined).toWellFormed()}…`
}
