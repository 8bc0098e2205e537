import { withoutCode } from './conversation.ts'
import { maskSource } from './review-mask.ts'
import { type Finding, lineFindings, missingNames, swallowedErrors, unusedParameters } from './review-rules.ts'
import { sourceIn } from './review-source.ts'

export type Review = {
  verdict: 'pass' | 'needs_work' | 'fail'
  score: number
  summary: string
  issues: { line: number; severity: Finding['severity']; message: string; suggestion: string | null }[]
}

const COST = { error: 35, warning: 12, info: 3 } as const
const MOST_ISSUES = 50

/**
 * A static look at the last fenced code block of a message, with the text around it as the task: brackets and
 * strings, what is known to go wrong in JavaScript, TypeScript and Python, and names the task asks for.
 * It does not run the code and does not know whether it is right; the summary says so.
 */
export function reviewMessage(text: string): Review {
  const source = sourceIn(text)
  const empty = !source || source.lines.every((line) => line.trim() === '')
  if (empty) {
    const issue = { line: 1, severity: 'error' as const, message: 'There is no code to review.', suggestion: null }
    return { verdict: 'fail', score: 0, summary: 'No code was found in the message.', issues: [issue] }
  }
  const masked = maskSource(source.lines, source.language)
  const code = source.lines.join('\n')
  const findings: Finding[] = [
    ...masked.trouble.map((trouble) => ({ ...trouble, severity: 'error' as const, suggestion: null })),
    ...lineFindings(masked, source.lines, source.language),
    ...swallowedErrors(masked, source.language),
    ...(masked.trouble.length === 0 ? unusedParameters(masked, source.language) : []),
    ...missingNames(withoutCode(text), code)
  ]
  const issues = findings
    .toSorted((a, b) => a.line - b.line)
    .slice(0, MOST_ISSUES)
    .map(({ line, severity, message, suggestion }) => ({
      line: line + source.firstLine,
      severity,
      message,
      suggestion
    }))
  const counts = countBySeverity(issues)
  const cost = counts.error * COST.error + counts.warning * COST.warning + counts.info * COST.info
  return {
    verdict: counts.error > 0 ? 'fail' : counts.warning > 0 ? 'needs_work' : 'pass',
    score: Math.max(0, 100 - cost),
    summary: summaryOf(source.lines.length, source.language, counts),
    issues
  }
}

type Counts = Record<Finding['severity'], number>

function countBySeverity(issues: Review['issues']): Counts {
  const counts: Counts = { error: 0, warning: 0, info: 0 }
  for (const { severity } of issues) counts[severity] += 1
  return counts
}

function summaryOf(lines: number, language: string, { error, warning, info }: Counts): string {
  const found = [plural(error, 'error'), plural(warning, 'warning'), plural(info, 'note')].filter(Boolean).join(', ')
  const name = language || 'code'
  return `Looked at ${plural(lines, 'line') || 'no lines'} of ${name} by rules, without running it: ${found || 'nothing to object to'}.`
}

const plural = (count: number, noun: string) => (count === 0 ? '' : `${count} ${noun}${count === 1 ? '' : 's'}`)
