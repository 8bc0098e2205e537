import type { Node } from 'web-tree-sitter'
import { type Block, block } from './block.ts'
import type { Grammars } from '../code/grammars.ts'
import { estimateTokens } from '../text/token-estimate.ts'

/** Depth of the syntax tree that is looked into; deeper than any function anyone would cut. */
const deepest = 24

/**
 * Code as blocks: whole functions, classes and statements, and where one of these is longer than `most` tokens the
 * parts it consists of, under its name. Comments go with what they stand before. The blocks joined are the source.
 */
export async function codeBlocks(grammars: Grammars, language: string, source: string, most: number): Promise<Block[]> {
  const cuts = isWritten(source)
    ? await grammars.withTree(language, source, (root) => treeCuts(root, source, most))
    : undefined
  return toBlocks(source, cuts ?? plainCuts(source))
}

/** Whether a person may have written it: minified or encoded text has no structure worth the time of a parser. */
const isWritten = (source: string) => source.length <= 300_000 && source.length / source.split('\n').length < 500

/** A place where a block begins, and the names it stands under. */
type Cut = { at: number; path: string[] }

function toBlocks(source: string, cuts: Cut[]): Block[] {
  const blocks: Block[] = []
  let start = 0
  let path: string[] = []
  for (const cut of [...cuts, { at: source.length, path: [] }]) {
    const text = source.slice(start, cut.at)
    if (cut.at > start && text.trim()) {
      blocks.push(block(text, path))
      start = cut.at
    }
    path = cut.path
  }
  return blocks
}

function treeCuts(root: Node, source: string, most: number): Cut[] {
  const cuts: Cut[] = []
  const visit = (node: Node, path: string[], depth: number) => {
    let glued = false
    for (const child of node.namedChildren) {
      const at = lineStart(source, child.startIndex)
      if (at !== undefined && !glued) cuts.push({ at, path })
      const tokens = estimateTokens(source, child.startIndex, child.endIndex)
      if (tokens > most && child.namedChildCount > 0 && depth < deepest) {
        const name = nameOf(child)
        visit(child, name && name !== path.at(-1) ? [...path, name] : path, depth + 1)
        glued = false
      } else glued = goesWithNext(child) && at !== undefined
    }
  }
  visit(root, [], 0)
  return cuts
}

const goesWithNext = (node: Node) => /comment|decorator|attribute|annotation/.test(node.type)

/** The beginning of the line, when nothing but indentation stands before `at`: code is cut between lines only. */
function lineStart(source: string, at: number): number | undefined {
  let start = at
  while (start > 0 && (source[start - 1] === ' ' || source[start - 1] === '\t')) start -= 1
  return start === 0 || source[start - 1] === '\n' ? start : undefined
}

const wrapsDefinition = /^(?:export|decorated|lexical|variable|template|ambient)/

/** The name of a definition, also of one that stands inside an export, a decoration or a declaration. */
function nameOf(node: Node, depth = 0): string | undefined {
  const name = node.childForFieldName('name')
  if (name) return name.text.slice(0, 100)
  if (depth === 3 || !wrapsDefinition.test(node.type)) return undefined
  for (const child of node.namedChildren) {
    const found = nameOf(child, depth + 1)
    if (found) return found
  }
  return undefined
}

const definition =
  /^(?:(?:export|default|pub|public|private|protected|internal|static|final|abstract|async|override|inline|local|unsafe)\s+)*(?:function|class|def|defp|defmodule|fn|func|fun|struct|impl|interface|enum|module|trait|type|namespace|sub|proc|object|record|let|val|data|instance)\b/

/** Without a grammar a block begins at a definition or after a blank line, where the line is not indented. */
function plainCuts(source: string): Cut[] {
  const cuts: Cut[] = []
  let at = 0
  let blank = true
  for (const line of source.split(/(?<=\n)/)) {
    const outermost = /^\S/.test(line) && !/^[)\]}]/.test(line)
    if (outermost && (blank || definition.test(line.slice(0, 300)))) cuts.push({ at, path: [] })
    blank = line.trim() === ''
    at += line.length
  }
  return cuts
}
