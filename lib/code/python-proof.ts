import { widthOf } from './python-layout.ts'
import type { LogicalLine, Token } from './python-lines.ts'

/** `at`: offset in the source. */
export type PythonFault = { at: number; message: string }

/** May begin a statement and stand nowhere else (reference manual, 7 and 8). */
const statements = new Set(
  'def class while with try except finally elif return raise global nonlocal del assert pass break continue'.split(' ')
)
/** Statements that need a colon, on the same logical line. */
const headers = new Set('def class if elif else for while with try except finally'.split(' '))
/** Words between operands. `if`, `for` and `else` begin lines too, `async` stands before `for`. */
const betweenOperands = new Set('and or in is as if else for from import async'.split(' '))
/** Words that are statements only at the start of a line, and names elsewhere; `lazy` as PEP 810 has it. */
const beforeValue = new Set('while elif assert del with global nonlocal'.split(' '))
const softKeywords = new Set(['match', 'case', 'type', 'lazy'])
const signsBeforeOperands = new Set(['+', '-', '~', '*', '**', '@'])
const openers = new Set(['(', '[', '{'])
const closers = new Set([')', ']', '}'])
/** Characters that no Python knows outside of strings, among them those that word processors make of quotes. */
const illegal = /^[$?!`“”‘’´«»×÷…–—\u00A0\u200B\u2028\u2029]$/

/**
 * What may come next. `operand`: something has to; `opened`: something or an end, but no operator between values;
 * `after`: a value has been, so an operator or an end; `any`: no claim is made.
 */
type Expected = 'operand' | 'opened' | 'after' | 'any'
/** A bracket that is open, or the line itself; `lambdas`: how many still wait for their colon. */
type Level = { bracket: string; lambdas: number }

/**
 * The first fault of the sources' lines that is one in every Python 3 there is: two values side by side, an operator
 * without its value, a keyword where none can be, a header without its colon, a character that is none of Python's.
 * It knows no grammar beyond that, so that it need not know the newest syntax; `undefined` proves nothing.
 */
export function provenFault(lines: LogicalLine[]): PythonFault | undefined {
  const blocks: Block[] = [{ width: 0, last: '' }]
  let previous: LogicalLine | undefined
  for (const line of lines) {
    const fault = indentFault(line, previous, blocks) ?? clauseFault(line, blocks.at(-1) as Block) ?? faultOfLine(line)
    if (fault) return fault
    previous = line
  }
  return undefined
}

/** An open block, by its indentation; `last`: the first word of the last statement or clause that stands in it. */
type Block = { width: number; last: string }

/** Indentation by the reference manual, 2.1.8; `blocks` are the open ones, innermost last. */
function indentFault(line: LogicalLine, previous: LogicalLine | undefined, blocks: Block[]): PythonFault | undefined {
  const at = line.tokens[0]?.at ?? line.start
  const width = widthOf(line.indent)
  const innermost = () => (blocks.at(-1) as Block).width
  const opensBlock = previous?.tokens.at(-1)?.text === ':'
  if (width > innermost()) {
    if (!opensBlock) return { at, message: 'unexpected indent' }
    blocks.push({ width, last: '' })
    return undefined
  }
  if (opensBlock) return { at, message: 'expected an indented block' }
  while (width < innermost()) blocks.pop()
  return width === innermost() ? undefined : { at, message: 'unindent does not match any outer indentation level' }
}

/** Which statements and clauses a clause may follow (reference manual, 8). */
const clauses = new Map([
  ['elif', ['if', 'elif']],
  ['else', ['if', 'elif', 'for', 'while', 'except']],
  ['except', ['try', 'except']],
  ['finally', ['try', 'except', 'else']]
])

function clauseFault({ tokens }: LogicalLine, block: Block): PythonFault | undefined {
  const [first, second] = tokens
  if (!first) return undefined
  const follows = block.last
  block.last = first.text === 'async' ? (second?.text ?? '') : first.text
  const at = first.at
  const allowed = clauses.get(first.text)
  if (allowed && first.kind === 'name') return allowed.includes(follows) ? undefined : { at, message: 'invalid syntax' }
  return follows === 'try' ? { at, message: "expected 'except' or 'finally' block" } : undefined
}

function faultOfLine({ tokens, end }: LogicalLine): PythonFault | undefined {
  const levels: Level[] = [{ bracket: '', lambdas: 0 }]
  let expected: Expected = 'operand'
  let startsStatement = true
  let hasColon = false
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1]
    const level = levels.at(-1) as Level
    if (token.kind === 'unknown') {
      if (illegal.test(token.text)) return { at: token.at, message: 'invalid character' }
      return undefined // a character of a name that is not known here: nothing can be said of this line
    }
    const next = afterToken({ token, before, next: tokens[index + 1], expected, level, startsStatement })
    if (next === undefined) return { at: token.at, message: 'invalid syntax' }
    expected = next
    const { text } = token
    const outside = levels.length === 1
    if (token.kind === 'operator' && openers.has(text)) levels.push({ bracket: text, lambdas: 0 })
    else if (token.kind === 'operator' && closers.has(text) && !outside) levels.pop()
    else if (text === 'lambda') level.lambdas++
    const isLambdas = text === ':' && level.lambdas > 0
    if (isLambdas) level.lambdas--
    const endsHeader = outside && text === ':' && !isLambdas
    hasColon ||= endsHeader
    startsStatement = endsHeader || (outside && text === ';') || (startsStatement && text === 'async')
  }
  if (expected === 'operand') return { at: end, message: 'invalid syntax' }
  const first = tokens[0]?.text === 'async' ? tokens[1] : tokens[0]
  if (!hasColon && first?.kind === 'name' && headers.has(first.text)) return { at: end, message: "expected ':'" }
  return undefined
}

type Place = {
  token: Token
  before: Token | undefined
  next: Token | undefined
  expected: Expected
  level: Level
  startsStatement: boolean
}

/** What may follow a token, `undefined` when the token itself may not stand here. */
function afterToken(place: Place): Expected | undefined {
  const { kind } = place.token
  if (kind === 'name') return afterName(place)
  if (kind === 'operator') return afterOperator(place)
  // Strings side by side are one string.
  return place.expected === 'after' && !(kind === 'string' && place.before?.kind === 'string') ? undefined : 'after'
}

function afterName({ token: { text }, before, next, expected, level, startsStatement }: Place): Expected | undefined {
  const isAttribute = before?.text === '.'
  if (statements.has(text)) {
    if (!startsStatement || isAttribute) return undefined
    if (text === 'def' || text === 'class') return next?.kind === 'name' && !isKeyword(next.text) ? 'any' : undefined
    return beforeValue.has(text) ? 'operand' : 'any'
  }
  if (startsStatement && ['if', 'for', 'from'].includes(text)) return 'operand'
  if (text === 'import') return before?.text === 'from' ? undefined : 'operand'
  if (startsStatement && (softKeywords.has(text) || betweenOperands.has(text))) return 'any'
  const wantsValue = expected === 'operand' || expected === 'opened'
  switch (text) {
    case 'and':
    case 'or':
    case 'is':
    case 'in':
    case 'if':
    case 'else':
      return wantsValue && before?.text !== ',' ? undefined : text === 'is' ? 'any' : 'operand'
    case 'as':
      return wantsValue ? undefined : 'operand'
    case 'for':
      // A comprehension's, or `async for` at the start of a line.
      return before?.text !== 'async' && (wantsValue || level.bracket === '') ? undefined : 'operand'
    case 'async':
    case 'from':
      return 'any'
    case 'not':
      return next?.text === 'in' ? 'any' : expected === 'after' ? undefined : 'operand'
    case 'await':
      return expected === 'after' ? undefined : 'operand'
    case 'lambda':
    case 'yield':
      return expected === 'after' ? undefined : 'any'
    default:
      return expected === 'after' ? undefined : 'after'
  }
}

function afterOperator({ token: { text }, before, next, expected, level }: Place): Expected | undefined {
  const wantsValue = expected === 'operand' || expected === 'opened'
  if (text === '(' || text === '[') return 'opened'
  if (text === '{') return expected === 'after' ? undefined : 'opened'
  if (closers.has(text)) return expected === 'operand' ? undefined : 'after'
  // Relative imports: `from . import`, `from ...a import`.
  const relative = before?.text === 'from' || (expected === 'any' && /^\.+$/.test(before?.text ?? ''))
  if (relative && /^\.+$/.test(text)) return 'any'
  if (text === '...') return expected === 'after' ? undefined : 'after'
  if (text === ':') return afterColon(expected, level)
  if (text === ';') return wantsValue ? undefined : 'opened'
  if (text === ',') {
    const isFirst = before === undefined || before.text === ',' || openers.has(before.text)
    // Outside of brackets `a, = b` and `for a, in b` end a list of one.
    return expected === 'operand' || isFirst ? undefined : level.bracket === '' ? 'any' : 'opened'
  }
  // The signs of parameter lists, which stand alone.
  if ((text === '*' || text === '/') && expected !== 'after' && [',', ')', ':'].includes(next?.text ?? ''))
    return 'after'
  if (wantsValue && !signsBeforeOperands.has(text)) return undefined
  return text === '*' && next === undefined ? 'any' : 'operand'
}

function afterColon(expected: Expected, level: Level): Expected | undefined {
  if (level.lambdas > 0) return 'operand'
  if (level.bracket === '[') return 'opened'
  if (expected === 'operand' || (expected === 'opened' && level.bracket === '')) return undefined
  return level.bracket === '' ? 'opened' : 'operand'
}

const isKeyword = (text: string) =>
  statements.has(text) ||
  betweenOperands.has(text) ||
  ['not', 'lambda', 'yield', 'await', 'None', 'True', 'False'].includes(text)
