import { lineFinder } from './line-finder.ts'
import type { Masked } from './review-mask.ts'

type Severity = 'info' | 'warning' | 'error'

/** `line` counts from 0 here; the review turns it into the numbers of the original. */
export type Finding = { line: number; severity: Severity; message: string; suggestion: string | null }

type LineRule = {
  languages: 'js' | 'python' | 'any'
  pattern: RegExp
  severity: Severity
  message: string
  suggestion: string | null
}

const LINE_RULES: readonly LineRule[] = [
  rule(
    'js',
    /\bvar\s+[\w$[{]/,
    'warning',
    '`var` is visible in the whole function.',
    'Use `const`, or `let` when it changes.'
  ),
  rule('js', /[^=!<>]==(?!=)(?!\s*null\b)/, 'warning', '`==` converts its operands before it compares.', 'Use `===`.'),
  rule('js', /!=(?!=)(?!\s*null\b)/, 'warning', '`!=` converts its operands before it compares.', 'Use `!==`.'),
  rule(
    'js',
    /\b(?:if|while)\s*\(\s*[\w$.]+\s*=(?![=>])/,
    'warning',
    'This condition assigns instead of comparing.',
    'Use `===`.'
  ),
  rule(
    'js',
    /(?<![\w$.])eval\s*\(|\bnew\s+Function\s*\(/,
    'error',
    'Text is run as code.',
    'Parse the input, or look the operation up in a table.'
  ),
  rule('js', /\bdebugger\b/, 'warning', 'A `debugger` statement was left in.', 'Remove it.'),
  rule(
    'js',
    /\bconsole\.(?:log|debug)\s*\(/,
    'info',
    'A debugging print was left in.',
    'Remove it, or return the value.'
  ),
  rule(
    'python',
    /(?<![\w.])(?:eval|exec)\s*\(/,
    'error',
    'Text is run as code.',
    'Parse the input, or look the operation up in a table.'
  ),
  rule(
    'python',
    /^\s*except\s*:/,
    'warning',
    'This `except` catches everything, also what nobody expects.',
    'Name the exception.'
  ),
  rule('python', /[=!]=\s*None\b/, 'warning', '`None` is compared by value.', 'Use `is None` or `is not None`.'),
  rule(
    'python',
    /[=!]=\s*(?:True|False)\b/,
    'info',
    'A truth value is compared with a constant.',
    'Use the value itself.'
  ),
  rule(
    'python',
    /^\s*def\s+\w+\(.*=\s*(?:\[\]|\{\}|set\(\))/,
    'warning',
    'This default value is shared between calls.',
    'Use `None` and make the value inside.'
  ),
  rule('python', /^\s*print\s*\(/, 'info', 'A print was left in.', 'Remove it if the task does not ask for output.'),
  rule('python', /\braise\s+NotImplementedError\b/, 'error', 'This part is not implemented yet.', null)
]

function rule(
  languages: LineRule['languages'],
  pattern: RegExp,
  severity: Severity,
  message: string,
  suggestion: string | null
): LineRule {
  return { languages, pattern, severity, message, suggestion }
}

function familyOf(language: string): 'js' | 'python' | 'other' {
  if (language === 'python') return 'python'
  return language === 'javascript' || language === 'typescript' ? 'js' : 'other'
}

/** What can be said line by line. */
export function lineFindings(masked: Masked, original: readonly string[], language: string): Finding[] {
  const family = familyOf(language)
  const findings: Finding[] = []
  masked.lines.forEach((code, line) => {
    for (const { languages, pattern, severity, message, suggestion } of LINE_RULES) {
      if (languages === family && pattern.test(code)) findings.push({ line, severity, message, suggestion })
    }
    if (/\b(?:TODO|FIXME|XXX)\b/.test(masked.comments[line] ?? '')) {
      findings.push({
        line,
        severity: 'info',
        message: 'A note about unfinished work was left in.',
        suggestion: 'Finish it or remove the note.'
      })
    }
    const length = (original[line] ?? '').length
    if (length > 120) {
      findings.push({
        line,
        severity: 'info',
        message: `This line has ${length} characters.`,
        suggestion: 'Break it into shorter ones.'
      })
    }
    if (/\bRemove this (?:line|statement) and implement\b/i.test(original[line] ?? '')) {
      findings.push({ line, severity: 'error', message: 'This part is not implemented yet.', suggestion: null })
    }
  })
  return findings
}

/** Handlers that hide what went wrong. */
export function swallowedErrors(masked: Masked, language: string): Finding[] {
  const text = masked.lines.join('\n')
  const python = familyOf(language) === 'python'
  const pattern = python ? /^[ \t]*except[^\n]*:\s*pass\b/gm : /\bcatch(?:\s*\([^()]*\))?\s*\{\s*\}/g
  const lineAt = lineFinder(text)
  return [...text.matchAll(pattern)].map((match) => ({
    line: lineAt(match.index + (match[0].length - match[0].trimStart().length)),
    severity: 'warning' as const,
    message: 'An error is caught and forgotten.',
    suggestion: 'Handle it, or let it through.'
  }))
}

/** Parameters of named functions that their bodies never mention; names that begin with `_` are meant to be unused. */
export function unusedParameters(masked: Masked, language: string): Finding[] {
  return functionsIn(masked, language).flatMap(({ name, parameters, line, body }) => {
    const used = new Set(body.match(/[\w$]+/g))
    return parameters
      .filter((parameter) => !parameter.startsWith('_') && !used.has(parameter))
      .map((parameter) => ({
        line,
        severity: 'info' as const,
        message: `\`${name}\` does not use its parameter \`${parameter}\`.`,
        suggestion: 'Use it, or take it out.'
      }))
  })
}

/** Enough for any source that someone wrote; it keeps the time for others in bounds. */
const MOST_FUNCTIONS = 300
const LONGEST_BODY = 50_000

type Declared = { name: string; parameters: string[]; line: number; body: string }

function functionsIn(masked: Masked, language: string): Declared[] {
  const text = masked.lines.join('\n')
  const python = familyOf(language) === 'python'
  if (familyOf(language) === 'other') return []
  const pattern = python
    ? /^([ \t]*)def\s+(\w+)\s*\(([^()]*)\)[^:\n]*:/gm
    : /()\b(?:function(?:\s*\*)?\s*([\w$]+)|(?:const|let|var)\s+([\w$]+)\s*=\s*(?:async\s*)?(?=\([^()]*\)\s*=>))\s*\(([^()]*)\)\s*(?:=>\s*)?(?=\{)/g
  const lineAt = lineFinder(text)
  return [...text.matchAll(pattern)].slice(0, MOST_FUNCTIONS).map((match) => {
    const end = match.index + match[0].length
    const list = (python ? match[3] : match[4]) ?? ''
    return {
      name: match[2] ?? match[3] ?? '',
      parameters: parameterNames(list),
      line: lineAt(match.index),
      body: python ? indentedBody(text, end, (match[1] ?? '').length) : bracedBody(text, end)
    }
  })
}

function parameterNames(list: string): string[] {
  if (/[{[]/.test(list)) return []
  return list
    .split(',')
    .map((part) => /^\s*(?:\.\.\.|\*{1,2})?([A-Za-z_$][\w$]*)/.exec(part)?.[1] ?? '')
    .filter((name) => name !== '' && name !== 'self' && name !== 'cls' && name !== 'this')
}

function indentedBody(text: string, start: number, indent: number): string {
  const [first, ...rest] = text.slice(start, start + LONGEST_BODY).split('\n')
  const end = rest.findIndex((line) => line.trim() !== '' && line.length - line.trimStart().length <= indent)
  return [first ?? '', ...(end < 0 ? rest : rest.slice(0, end))].join('\n')
}

function bracedBody(text: string, start: number): string {
  let depth = 0
  const last = Math.min(text.length, start + LONGEST_BODY)
  for (let at = start; at < last; at++) {
    if (text[at] === '{') depth += 1
    if (text[at] === '}' && --depth === 0) return text.slice(start, at + 1)
  }
  return text.slice(start, last)
}

/** Nobody's task asks for more. */
const MOST_NAMES = 50

/** Names the task asks for, in backticks after words like "implement" or before "function", that the code lacks. */
export function missingNames(text: string, code: string): Finding[] {
  const task = text.replace(/\s+/g, ' ')
  const named = [
    ...task.matchAll(
      /\b(?:implement|define|export|write|create|called|named)\s+(?:(?:a|an|the|your) )?(?:(?:function|method|class|operation) )?(?:(?:called|named) )?`([A-Za-z_$][\w$]*)(?:\([^`]*\))?`/gi
    ),
    ...task.matchAll(/`([A-Za-z_$][\w$]*)(?:\([^`]*\))?`\s+(?:function|method|class|operation)\b/gi)
  ].map((match) => match[1] as string)
  const squeezedCode = squeezed(code)
  return [...new Set(named)]
    .slice(0, MOST_NAMES)
    .filter((name) => !squeezedCode.includes(squeezed(name)))
    .map((name) => ({
      line: 0,
      severity: 'error' as const,
      message: `The task names \`${name}\`, and the code does not have it.`,
      suggestion: `Define \`${name}\`.`
    }))
}

/** `toRoman` and `to_roman` are the same name in two languages. */
const squeezed = (text: string) => text.toLowerCase().replace(/_/g, '')
