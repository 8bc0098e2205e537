import { type ParserOptions, type ParserPlugin, parse } from '@babel/parser'
import { createGrammars } from './grammars.ts'
import type { SyntaxAnswer, SyntaxProblem } from './syntax-checker.ts'

/** A snapshot may be a module, a script or the inside of a function: none of these is an error by itself. */
const lenient: ParserOptions = {
  allowReturnOutsideFunction: true,
  allowUndeclaredExports: true,
  allowNewTargetOutsideFunction: true,
  allowSuperOutsideMethod: true,
  // Errors that leave the grammar intact are told apart from those that do not.
  errorRecovery: true
}

/** On their way into the language, and used before they arrive. */
const accepted: ParserPlugin[] = [
  'decorators',
  'decoratorAutoAccessors',
  'deferredImportEvaluation',
  'sourcePhaseImports'
]
/** Everything else that Babel knows: nobody who writes it makes an error of syntax. */
const proposed: ParserPlugin[] = [
  ...accepted,
  'asyncDoExpressions',
  'deferredReexports',
  'destructuringPrivate',
  ['discardBinding', { syntaxType: 'void' }],
  'doExpressions',
  'exportDefaultFrom',
  'functionBind',
  'functionSent',
  'moduleBlocks',
  ['optionalChainingAssign', { version: '2023-07' }],
  ['pipelineOperator', { proposal: 'hack', topicToken: '%' }],
  'throwExpressions'
]
/** Decorators as TypeScript and Babel had them first: of parameters, too. */
const legacy: ParserPlugin[] = ['decorators-legacy', ...accepted.slice(1)]

type Dialect = { plugins: ParserPlugin[]; sourceType?: 'module' | 'script' }

/** The first one, or two, are what people write; those are quoted when nothing fits. */
const dialects: Record<'javascript' | 'typescript', { usual: Dialect[]; others: Dialect[] }> = {
  javascript: {
    usual: [{ plugins: ['jsx', ...accepted] }],
    others: [
      { plugins: ['jsx', ...accepted], sourceType: 'script' },
      { plugins: ['jsx', ...legacy] },
      { plugins: ['jsx', ...proposed] },
      { plugins: ['jsx', 'flow', ...accepted] }
    ]
  },
  typescript: {
    // `<T>x` is a cast in one and an element in the other; the file's name does not always tell.
    usual: [{ plugins: ['typescript', ...legacy] }, { plugins: ['typescript', 'jsx', ...legacy] }],
    others: [
      { plugins: ['typescript', ...accepted] },
      { plugins: ['typescript', 'jsx', ...accepted] },
      { plugins: ['typescript', ...legacy], sourceType: 'script' },
      { plugins: [['typescript', { dts: true }]] },
      { plugins: ['typescript', ...proposed] }
    ]
  }
}

/** Early errors of ECMA-262 and the like: what no newer syntax makes good. By Babel's codes. */
const early = new Set([
  'DeclarationMissingInitializer',
  'DuplicateConstructor',
  'DuplicateDefaultExport',
  'DuplicateExport',
  'DuplicateProto',
  'IllegalBreakContinue',
  'InvalidLhs',
  'InvalidLhsBinding',
  'InvalidPrivateFieldResolution',
  'LabelRedeclaration',
  'LetInLexicalBinding',
  'MissingClassName',
  'MissingClosingTagElement',
  'NoCatchOrFinally',
  'ParamDupe',
  'PrivateNameRedeclaration',
  'UnexpectedReservedWord',
  'VarRedeclaration'
])

const grammars = {
  javascript: ['javascript'],
  typescript: ['typescript', 'tsx']
}

/**
 * Returns a function that finds the first syntax error of a source, early errors of the language included (a name
 * declared twice). Babel lags behind the languages, so an objection of its own proves nothing: an error of grammar is
 * what a second, independent grammar (tree-sitter's) objects to as well, in every dialect. The rest is `unsure`, as
 * is what is nested deeper than the parser's stack.
 */
export function createJavascriptParser() {
  const { withTree } = createGrammars()

  /** Whether the second grammar objects; not when it does not come to an end. */
  async function isBroken(source: string, language: 'javascript' | 'typescript'): Promise<boolean> {
    for (const grammar of grammars[language]) {
      if ((await withTree(grammar, source, (root) => root.hasError)) !== true) return false
    }
    return true
  }

  return async (source: string, language: 'javascript' | 'typescript'): Promise<SyntaxAnswer> => {
    const text = withAttributes(source)
    const { usual, others } = dialects[language]
    let first: Objection | undefined
    for (const dialect of [...usual, ...others]) {
      const objection = objectionOf(text, dialect)
      if (objection === undefined) return { problem: undefined }
      if (objection === 'unsure') return { unsure: true }
      // Of two usual dialects the one that came further is the one that was meant.
      if (!first || (usual.includes(dialect) && objection.at > first.at)) first = objection
    }
    if (!first) return { unsure: true }
    const isProven = early.has(first.code) || isEmptyArgument(text, first.at) || (await isBroken(text, language))
    if (!isProven) return { unsure: true }
    // What is missing at the end is missing in the last line that says something.
    const line = Math.min(first.problem.line, source.trimEnd().split(/\r\n|[\n\r\u2028\u2029]/).length)
    return { problem: { ...first.problem, line } }
  }
}

/** `import x from 'y' assert {…}`, as Node.js and TypeScript had it before `with`, in a form that Babel knows. */
const withAttributes = (source: string) => source.replace(/(["'])(\s*)\bassert(\s*\{)/g, '$1$2with  $3')

/** `(, a)` and `(a, , b)`, which the second grammar lets pass: only lists and patterns may have holes. */
const isEmptyArgument = (source: string, at: number) => /[(,]\s*,\s*$/.test(source.slice(Math.max(0, at - 100), at + 1))

type Objection = { at: number; code: string; problem: SyntaxProblem }

function objectionOf(source: string, { plugins, sourceType = 'module' }: Dialect): Objection | 'unsure' | undefined {
  // `await` and `yield` are names in scripts.
  const isModule = sourceType === 'module'
  const options: ParserOptions = {
    ...lenient,
    plugins,
    sourceType,
    allowAwaitOutsideFunction: isModule,
    allowYieldOutsideFunction: isModule
  }
  try {
    const [error] = parse(source, options).errors ?? []
    return error && describe(error as ParseError)
  } catch (error) {
    return isParseError(error) ? describe(error) : 'unsure'
  }
}

type ParseError = SyntaxError & { reasonCode: string; pos: number; loc: { line: number; column: number } }

const isParseError = (error: unknown): error is ParseError => error instanceof SyntaxError && 'loc' in error

const describe = ({ reasonCode, pos, loc, message }: ParseError): Objection => ({
  at: pos,
  code: reasonCode,
  problem: { line: loc.line, column: loc.column + 1, message: message.replace(/\s*\(\d+:\d+\)\s*$/, '') }
})
