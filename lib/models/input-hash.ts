import { createHash } from 'node:crypto'

/** Key of a step's input: equal for equal values whatever the order of their keys. */
export function inputHash(value: unknown): string {
  return createHash('sha256').update(stable(value)).digest('base64url')
}

function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${stable(item)}`)
      .join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}
