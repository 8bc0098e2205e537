/** Whether an event's type is one that a pattern asks for: `*`, a type, or its beginning and `.*`. */
export function matches(pattern: string, type: string): boolean {
  if (pattern === '*') return true
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern
}
