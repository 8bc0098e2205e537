import { type ParserOptions, type ParserPlugin, parse } from '@babel/parser'
import type { SyntaxProblem } from './syntax-checker.ts'

/** A snapshot may be a module, a script or the inside of a function: none of these is an error by itself. */
const lenient: ParserOptions = {
  sourceType: 'unambiguous',
  allowReturnOutsideFunction: true,
  allowAwaitOutsideFunction: true,
  allowUndeclaredExports: true,
  allowNewTargetOutsideFunction: true
}

const dialects = {
  javascript: [['jsx', 'decorators']],
  // `<T>x` is a cast in one and an element in the other; the file's name does not always tell.
  typescript: [
    ['typescript', 'decorators-legacy'],
    ['typescript', 'jsx', 'decorators-legacy']
  ]
} satisfies Record<string, ParserPlugin[][]>

/**
 * The first syntax error of a source, early errors of the language included (a name declared twice).
 * `undefined` when there is none, or when the source is nested deeper than the parser's stack.
 */
export function javascriptProblem(source: string, language: 'javascript' | 'typescript'): SyntaxProblem | undefined {
  let first: SyntaxProblem | undefined
  for (const plugins of dialects[language]) {
    try {
      parse(source, { ...lenient, plugins })
      return undefined
    } catch (error) {
      if (!isParseError(error)) return undefined // out of stack: nobody can say
      // What is missing at the end is missing in the last line that says something.
      const line = Math.min(error.loc.line, source.trimEnd().split('\n').length)
      first ??= { line, column: error.loc.column + 1, message: withoutPosition(error.message) }
    }
  }
  return first
}

type ParseError = SyntaxError & { loc: { line: number; column: number } }

const isParseError = (error: unknown): error is ParseError => error instanceof SyntaxError && 'loc' in error

const withoutPosition = (message: string) => message.replace(/\s*\(\d+:\d+\)\s*$/, '')
