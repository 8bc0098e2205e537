import type { z } from 'zod'
import type { FieldError } from '../errors.ts'

/** More tell a client nothing new, and a message may quote what it sent. */
const maxErrors = 50
const maxMessageLength = 300

/** What zod found, a wrong field each; of a field that is not known its own path. */
export function fieldErrors({ issues }: z.ZodError): FieldError[] {
  return issues
    .flatMap((issue): FieldError[] => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.slice(0, maxErrors).map((key) => ({
          path: pathOf([...issue.path, key.slice(0, maxMessageLength)]),
          message: 'is not a field here'
        }))
      }
      return [{ path: pathOf(issue.path), message: issue.message.slice(0, maxMessageLength) }]
    })
    .slice(0, maxErrors)
}

const pathOf = (path: PropertyKey[]): string => path.map(String).join('.')
