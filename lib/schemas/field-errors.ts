import type { z } from 'zod'
import type { FieldError } from '../errors/app-error.ts'

/** Names and messages may quote what a client sent. */
const maxTextLength = 300

type Issue = z.core.$ZodIssue

/**
 * What zod found, a wrong field each; of a field that is not known its own path, each field and message once.
 * @param most after so many there is nothing new to tell; a body has room for a million unknown fields
 */
export function fieldErrors({ issues }: { issues: Issue[] }, most = 50): FieldError[] {
  const found = new Map<string, FieldError>()
  const add = (path: PropertyKey[], message: string) => {
    const error = { path: pathOf(path), message: message.slice(0, maxTextLength) }
    if (found.size < most) found.set(`${error.path}\n${error.message}`, error)
  }
  const walk = (list: Issue[], base: PropertyKey[]) => {
    for (const issue of list) {
      const path = [...base, ...issue.path]
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys.slice(0, most)) add([...path, key.slice(0, maxTextLength)], 'is not a field here')
      } else if (issue.code === 'invalid_union' && issue.errors.length > 0) {
        const meant = nearest(issue.errors)
        if (meant) walk(meant, path)
        else add(path, alternatives(issue.errors))
      } else add(path, isMissing(issue) && path.length > 0 ? 'is required' : issue.message)
    }
  }
  walk(issues, [])
  return [...found.values()]
}

/**
 * Of the shapes that were possible the one that was most likely meant: one whose fields are there, before one that lacks
 * fields or does not know them. `undefined` when the value is of another type than all of them.
 */
function nearest(branches: Issue[][]): Issue[] | undefined {
  const distance = (issue: Issue) => {
    if (issue.code === 'unrecognized_keys') return 10 * issue.keys.length
    return isOtherType(issue) || isMissing(issue) ? 10 : 1
  }
  const wrong = (branch: Issue[]) => branch.reduce((sum, issue) => sum + distance(issue), 0)
  const possible = branches.filter((branch) => !branch.some(isOtherType))
  return possible.toSorted((a, b) => wrong(a) - wrong(b))[0]
}

/** What a value that fits no shape might have been. */
const alternatives = (branches: Issue[][]): string =>
  branches.flat().every(isMissing)
    ? 'is required'
    : [...new Set(branches.flatMap(([first]) => (first ? [first.message] : [])))].join(', or ')

const isOtherType = ({ code, path }: Issue): boolean => code === 'invalid_type' && path.length === 0

/** zod takes the value itself out of its issues, so that a missing one shows in the message alone. */
const isMissing = ({ code, message }: Issue): boolean =>
  code === 'invalid_type' && (message === 'is required' || message.endsWith('received undefined'))

const pathOf = (path: PropertyKey[]): string => path.map(String).join('.')
