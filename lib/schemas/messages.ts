import type { z } from 'zod'

const kinds: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null'
}

const formats: Record<string, string> = {
  email: 'an e-mail address',
  uuid: 'an id',
  url: 'a URL',
  datetime: 'a time like 2026-01-31T12:00:00Z',
  date: 'a date like 2026-01-31'
}

const units: Record<string, [one: string, many: string]> = {
  string: ['character', 'characters'],
  array: ['item', 'items'],
  set: ['item', 'items'],
  file: ['byte', 'bytes']
}

const counted = (n: number | bigint, origin: string) => {
  const unit = units[origin]
  return unit ? `${n} ${Number(n) === 1 ? unit[0] : unit[1]}` : String(n)
}

/**
 * What a value of a field must be, for every schema that does not say it itself: one style of messages in place of
 * zod's, which tell of types where people need the rule. To be given to a parse as its `error`; a schema's own message
 * goes before it.
 */
export function houseMessage(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is required'
      return `must be ${kinds[issue.expected] ?? issue.expected}`
    case 'too_small': {
      const { minimum, origin } = issue
      if (origin in units)
        return Number(minimum) === 1 ? 'must not be empty' : `must have at least ${counted(minimum, origin)}`
      return issue.inclusive ? `must be at least ${minimum}` : `must be more than ${minimum}`
    }
    case 'too_big': {
      const { maximum, origin } = issue
      if (origin in units) return `must have at most ${counted(maximum, origin)}`
      return issue.inclusive ? `must be at most ${maximum}` : `must be less than ${maximum}`
    }
    case 'invalid_format':
      return formats[issue.format] ? `must be ${formats[issue.format]}` : 'is not of the form that is needed'
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${String(issue.values[0])}`
        : `must be one of: ${issue.values.map(String).join(', ')}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_union':
      return 'is of none of the shapes that are possible here'
    case 'invalid_key':
      return 'has a name that cannot be one here'
    default:
      return undefined
  }
}
