import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Language, Parser, type Tree } from 'web-tree-sitter'
import { layoutProblem } from './python-layout.ts'
import { type LogicalLine, logicalLines, rowFinder } from './python-lines.ts'
import { type PythonFault, provenFault } from './python-proof.ts'
import type { SyntaxAnswer, SyntaxProblem } from './syntax-checker.ts'

const grammar = import.meta.resolve('@vscode/tree-sitter-wasm/wasm/tree-sitter-python.wasm')

/**
 * Loads the grammar and returns a function that finds the first syntax error of a source.
 * The grammar lags behind the language, and an objection of its own proves nothing: an error is what it objects to and
 * what is one by rules of every Python besides (strings, brackets, layout, `provenFault`). The rest is `unsure`.
 */
export async function createPythonParser(): Promise<(source: string) => SyntaxAnswer> {
  await Parser.init()
  const parser = new Parser()
  parser.setLanguage(await Language.load(await readFile(fileURLToPath(grammar))))

  const parsed = <T>(text: string, look: (tree: Tree) => T): T => {
    const tree = parser.parse(text)
    if (!tree) throw new Error('the parser has no language')
    try {
      return look(tree)
    } finally {
      tree.delete()
    }
  }
  return (source) => {
    const text = source.replace(/\r\n?/g, '\n')
    const { lines, problem } = logicalLines(text)
    const fault = provenFault(lines)
    const clean = parsed(text, (tree) => (tree.rootNode.hasError ? undefined : { layout: layoutProblem(tree, text) }))
    if (clean) return { problem: clean.layout ?? (fault && problemOf(fault, text)) }
    const beginning = (count: number) => beginningOf(text, lines, count)
    const isClean = (count: number) => parsed(beginning(count), (tree) => !tree.rootNode.hasError)
    const good = goodLines(lines.length, isClean)
    // Indentation that is off may be what the parser stumbled over later.
    const layout = parsed(beginning(good), (tree) => layoutProblem(tree, beginning(good)))
    const found = layout ?? (fault && problemOf(fault, text)) ?? problem
    return found ? { problem: found } : { unsure: true }
  }
}

function problemOf({ at, message }: PythonFault, text: string): SyntaxProblem {
  const { row, column } = rowFinder(text)(at)
  return { line: row + 1, column: column + 1, message }
}

/**
 * How many lines of the source make a good beginning. The parser recovers from errors, so its error nodes may begin
 * long before what is wrong; the first line that turns a good beginning into a bad one is where Python would stop.
 */
function goodLines(count: number, isClean: (count: number) => boolean): number {
  if (isClean(count)) return count
  let good = 0
  let bad = count
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2)
    if (isClean(middle)) good = middle
    else bad = middle
  }
  return good
}

/** The first lines of a source, made complete: handlers for open `try` blocks, a body, something to decorate. */
function beginningOf(text: string, lines: LogicalLine[], count: number): string {
  const last = lines[count - 1]
  return last ? `${text.slice(0, last.end)}\n${whatIsMissing(text, lines.slice(0, count), last)}` : ''
}

function whatIsMissing(text: string, lines: LogicalLine[], last: LogicalLine): string {
  const open: { indent: string; isTry: boolean }[] = []
  for (const { start, end, indent } of lines) {
    while (open.length > 0 && (open.at(-1)?.indent.length ?? 0) >= indent.length) open.pop()
    open.push({ indent, isTry: /^\s*try\s*:/.test(text.slice(start, end)) })
  }
  const words = text.slice(last.start, last.end)
  const body = /:\s*(?:#.*)?$/.test(words) ? `${last.indent} pass\n` : ''
  const decorated = /^\s*@/.test(words) ? `${last.indent}def _(): pass\n` : ''
  const handlers = open.reverse().filter(({ isTry }) => isTry)
  return body + decorated + handlers.map(({ indent }) => `${indent}except: pass\n`).join('')
}
