import { definitionsOf } from './definition.ts'
import { frontMatterEnd } from './front-matter.ts'
import { indentOf, isBlank, type Line, linesOf, openLine, restOf, skipMark, skipSpace } from './line.ts'
import {
  atxHeadingOf,
  closesFence,
  type Fence,
  fenceOf,
  type HtmlEnd,
  htmlOf,
  isBreak,
  listMarkOf,
  underlineOf
} from './marks.ts'

/**
 * A block of the document itself, or an item of one of its lists, with the blank lines behind it: whole lines, given as
 * offsets. A comment or a definition of links renders to nothing.
 */
export type Span = { from: number; to: number } & (
  | { kind: 'heading'; level: number; title: string }
  | { kind: 'definitions' | 'html' | 'text' }
)

/** What other blocks stand in: a quotation, or a list item, whose lines are indented by so many columns. */
type Container = { kind: 'quote' } | { kind: 'item'; width: number; isEmpty: boolean }

/** The innermost open block, which takes the next line. A paragraph keeps its lines and where they begin. */
type Leaf =
  | { kind: 'paragraph'; lines: string[]; starts: number[] }
  | { kind: 'fence'; fence: Fence }
  | { kind: 'html'; end: HtmlEnd }
  | { kind: 'indented' }

/** Blocks nested deeper are read as text, so that a line costs no more steps than this for what it stands in. */
const deepest = 32

/**
 * The blocks of a Markdown text (CommonMark 0.31.2, 4 and 5), in their order and without gaps but for blank lines before
 * the first. What stands in quotations and list items is read, since it decides where they end, and stays part of them:
 * a heading there opens no section of the document. Time grows with the length of the text alone.
 * @param define takes the label of each definition of a link, by the time that all blocks are read
 */
export function* markdownSpans(text: string, define: (label: string) => void = () => {}): Generator<Span> {
  const done: Span[] = []
  const containers: Container[] = []
  let leaf: Leaf | undefined
  /** The block of the document that the last line belongs to. */
  let open: Span | undefined

  const matter = frontMatterEnd(text)
  if (matter > 0) open = { kind: 'text', from: 0, to: matter }
  for (const { from, end, to } of linesOf(text, matter)) {
    read(openLine(text.slice(from, end)), from)
    if (open) open.to = to
    while (done.length > 0) yield done.shift() as Span
  }
  endLeaf()
  yield* done
  if (open) yield open

  function read(line: Line, from: number): void {
    const matched = matchContainers(line)
    if (matched < containers.length && leaf?.kind !== 'paragraph') close(matched)
    if (leaf?.kind === 'fence') {
      if (indentOf(line) < 4 && closesFence(restOf(line), leaf.fence)) leaf = undefined
    } else if (leaf?.kind === 'html' && !(isBlank(line) && !leaf.end)) {
      if (leaf.end?.test(restOf(line))) leaf = undefined
    } else if (isBlank(line)) {
      if (matched < containers.length) close(matched)
      else if (leaf?.kind !== 'indented') endLeaf()
    } else readText(line, from, matched)
  }

  /** How many of the open containers the line goes on with; their signs are read. */
  function matchContainers(line: Line): number {
    let matched = 0
    for (const container of containers) {
      if (container.kind === 'quote') {
        if (indentOf(line) > 3 || line.text[line.start] !== '>') break
        skipMark(line, 1)
        skipSpace(line, 1)
      } else if (isBlank(line)) {
        if (container.isEmpty) break
      } else {
        if (indentOf(line) < container.width) break
        skipSpace(line, container.width)
        container.isEmpty = false
      }
      matched += 1
    }
    return matched
  }

  /** A line that is not blank and goes on with so many containers: it opens blocks, or belongs to the open one. */
  function readText(line: Line, from: number, matched: number): void {
    let inside = matched
    while (!isBlank(line) && opensContainer(line, from, inside)) inside = containers.length
    if (isBlank(line) || opensLeaf(line, from, inside)) return
    if (leaf?.kind !== 'paragraph') {
      begin(inside, { kind: 'text', from, to: from })
      leaf = { kind: 'paragraph', lines: [], starts: [] }
    }
    leaf.lines.push(restOf(line))
    leaf.starts.push(from)
  }

  function opensContainer(line: Line, from: number, inside: number): boolean {
    const indent = indentOf(line)
    if (indent > 3 || inside >= deepest) return false
    if (line.text[line.start] === '>') {
      begin(inside, { kind: 'text', from, to: from })
      containers.push({ kind: 'quote' })
      skipMark(line, 1)
      skipSpace(line, 1)
      return true
    }
    const rest = restOf(line)
    const mark = listMarkOf(rest)
    const isInParagraph = leaf?.kind === 'paragraph' && inside === containers.length
    if (!mark || (isInParagraph && (!mark.canInterrupt || underlineOf(rest))) || isBreak(rest)) return false
    begin(inside, { kind: 'text', from, to: from })
    skipMark(line, mark.length)
    const isEmpty = isBlank(line)
    // Five columns or more are one, and an indentation of what follows.
    const space = isEmpty || indentOf(line) > 4 ? 1 : indentOf(line)
    skipSpace(line, space)
    containers.push({ kind: 'item', width: indent + mark.length + space, isEmpty })
    return true
  }

  function opensLeaf(line: Line, from: number, inside: number): boolean {
    const text: Span = { kind: 'text', from, to: from }
    if (indentOf(line) > 3) {
      if (leaf?.kind === 'paragraph') return false
      if (leaf?.kind !== 'indented') {
        begin(inside, text)
        leaf = { kind: 'indented' }
      }
      return true
    }
    if (leaf?.kind === 'indented') endLeaf()
    const rest = restOf(line)
    if (inside === containers.length && underlines(rest)) return true
    const heading = atxHeadingOf(rest)
    const fence = fenceOf(rest)
    const html = htmlOf(rest, leaf?.kind === 'paragraph')
    if (heading) begin(inside, { ...text, kind: 'heading', ...heading })
    else if (fence) {
      begin(inside, text)
      leaf = { kind: 'fence', fence }
    } else if (html) {
      begin(inside, { ...text, kind: 'html' })
      if (!html.end?.test(rest)) leaf = { kind: 'html', end: html.end }
    } else if (isBreak(rest)) begin(inside, text)
    else return false
    return true
  }

  /** Makes a heading of the open paragraph, if the line is one that does and definitions of links are not all of it. */
  function underlines(rest: string): boolean {
    const level = leaf?.kind === 'paragraph' ? underlineOf(rest) : undefined
    if (level === undefined || leaf?.kind !== 'paragraph') return false
    const title = withoutDefinitions(leaf).join('\n')
    leaf = undefined
    if (title === '') return false
    if (containers.length === 0) open = { ...(open as Span), kind: 'heading', level, title }
    return true
  }

  /** Ends what the line does not go on with, and begins a block there: one of the document, or of a container. */
  function begin(inside: number, span: Span): void {
    close(inside)
    if (inside > 0) return
    if (open) done.push(open)
    open = span
  }

  function close(inside: number): void {
    endLeaf()
    containers.length = inside
  }

  function endLeaf(): void {
    if (leaf?.kind === 'paragraph') withoutDefinitions(leaf)
    leaf = undefined
  }

  /** The lines of a paragraph that are not definitions of links; those become a block of their own. */
  function withoutDefinitions({ lines, starts }: { lines: string[]; starts: number[] }): string[] {
    if (!lines[0]?.startsWith('[')) return lines
    const paragraph = lines.join('\n')
    const { labels, length } = definitionsOf(paragraph)
    if (length === 0) return lines
    for (const label of labels) define(label)
    const rest = length === paragraph.length ? [] : paragraph.slice(length).split('\n')
    if (containers.length > 0 || !open) return rest
    const definitions: Span = { kind: 'definitions', from: open.from, to: open.to }
    if (rest.length === 0) open = definitions
    else {
      const from = starts[lines.length - rest.length] as number
      done.push({ ...definitions, to: from })
      open = { ...open, from }
    }
    return rest
  }
}
