import type { z } from 'zod'
import type { FieldError } from '../errors.ts'

/** More tell a client nothing new, and a message may quote what it sent. */
const maxErrors = 50
const maxMessageLength = 300

type Issue = z.core.$ZodIssue

/** What zod found, a wrong field each; of a field that is not known its own path. */
export function fieldErrors({ issues }: { issues: Issue[] }): FieldError[] {
  return issues
    .flatMap((issue): FieldError[] => {
      if (issue.code === 'invalid_union' && issue.errors.length > 0) {
        const nested = nearest(issue.errors).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
        return fieldErrors({ issues: nested })
      }
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.slice(0, maxErrors).map((key) => ({
          path: pathOf([...issue.path, key.slice(0, maxMessageLength)]),
          message: 'is not a field here'
        }))
      }
      const message = isMissing(issue) && issue.path.length > 0 ? 'is required' : issue.message
      return [{ path: pathOf(issue.path), message: message.slice(0, maxMessageLength) }]
    })
    .slice(0, maxErrors)
}

/**
 * Of the shapes that were possible, what is wrong by the one that was most likely meant: one whose fields are there,
 * before one that lacks fields or does not know them.
 */
function nearest(branches: Issue[][]): Issue[] {
  const distance = (issue: Issue) => {
    if (issue.code === 'unrecognized_keys') return 10 * issue.keys.length
    const otherShape = issue.code === 'invalid_type' && (issue.path.length === 0 || isMissing(issue))
    return otherShape ? 10 : 1
  }
  const wrong = (branch: Issue[]) => branch.reduce((sum, issue) => sum + distance(issue), 0)
  return branches.reduce((best, branch) => (wrong(branch) < wrong(best) ? branch : best))
}

/** zod takes the value itself out of its issues, so that a missing one shows in the message alone. */
const isMissing = ({ code, message }: Issue): boolean =>
  code === 'invalid_type' && message.endsWith('received undefined')

const pathOf = (path: PropertyKey[]): string => path.map(String).join('.')
