import type { Node, Tree, TreeCursor } from 'web-tree-sitter'
import type { SyntaxProblem } from './syntax-checker.ts'

/**
 * What Python refuses and the grammar lets pass: bodies that are missing, statements of one block that do not line
 * up, and the statements of Python 2. For trees without errors only.
 */
export function layoutProblem(tree: Tree, source: string): SyntaxProblem | undefined {
  const rows = source.split('\n')
  return nodesOf(tree, looked)
    .map((node) => problemOf(node, rows))
    .filter((problem) => problem !== undefined)
    .sort((a, b) => a.line - b.line)[0]
}

const clauses = ['elif_clause', 'else_clause', 'except_clause', 'finally_clause']
const looked = ['module', 'block', 'print_statement', 'exec_statement', ...clauses]

function problemOf(node: Node, rows: string[]): SyntaxProblem | undefined {
  if (clauses.includes(node.type)) return clauseProblem(node, rows)
  if (node.type === 'module' || node.type === 'block') return blockProblem(node, rows)
  const { row, column } = node.startPosition
  return at(row, column, `missing parentheses in call to '${node.type.replace('_statement', '')}'`)
}

/** `else` and its like stand below the statement they belong to. */
function clauseProblem(clause: Node, rows: string[]): SyntaxProblem | undefined {
  const { row, column } = clause.startPosition
  const owner = clause.parent?.startPosition.row ?? row
  if (row === owner || widthOf(rows[row] ?? '') === widthOf(rows[owner] ?? '')) return undefined
  return at(row, column, 'unindent does not match any outer indentation level')
}

const at = (row: number, column: number, message: string): SyntaxProblem => ({
  line: row + 1,
  column: column + 1,
  message
})

function blockProblem(block: Node, rows: string[]): SyntaxProblem | undefined {
  const statements = block.namedChildren.filter((child) => child !== null && child.type !== 'comment') as Node[]
  const [first] = statements
  if (!first) return block.type === 'module' ? undefined : emptyBody(block, rows)
  const header = headerRow(block)
  // `if x: y` has its body in the header's row.
  if (block.type === 'block' && first.startPosition.row === header) return undefined
  const expected = block.type === 'module' ? 0 : widthOf(rows[first.startPosition.row] ?? '')
  let previousRow = -1
  for (const statement of statements) {
    const { row } = statement.startPosition
    if (row <= previousRow) continue // after a semicolon
    previousRow = statement.endPosition.row
    const width = widthOf(rows[row] ?? '')
    if (width > expected) return at(row, width, 'unexpected indent')
    if (width < expected) return at(row, width, 'unindent does not match any outer indentation level')
  }
  return undefined
}

/** Python complains about the line it finds instead of the body. */
function emptyBody(block: Node, rows: string[]): SyntaxProblem {
  const header = headerRow(block)
  const next = rows.findIndex((text, row) => row > header && /^\s*[^\s#]/.test(text))
  const row = next < 0 ? header : next
  return at(row, widthOf(rows[row] ?? ''), `expected an indented block after line ${header + 1}`)
}

/** The row of the colon before a block. */
function headerRow(block: Node): number {
  for (let before = block.previousSibling; before; before = before.previousSibling) {
    if (before.type !== 'comment') return before.endPosition.row
  }
  return block.parent?.startPosition.row ?? 0
}

/** Width of a line's indentation; tabs reach to the next multiple of eight (reference manual, 2.1.8). */
function widthOf(text: string): number {
  let width = 0
  for (const char of text) {
    if (char === ' ') width++
    else if (char === '\t') width += 8 - (width % 8)
    else if (char === '\f' || char === '\uFEFF') width = 0
    else break
  }
  return width
}

/** Nodes that are looked for, in order. Walks without recursion: a source chooses how deep its tree is. */
function nodesOf(tree: Tree, types: readonly string[]): Node[] {
  const found: Node[] = []
  walk(tree, (cursor) => {
    if (types.includes(cursor.nodeType)) found.push(cursor.currentNode)
  })
  return found
}

/** Where the parser had to leave something out or to make something up, in order. */
export function errorPlaces(tree: Tree): { row: number; column: number }[] {
  const places: { row: number; column: number }[] = []
  walk(tree, (cursor) => {
    if (cursor.nodeType === 'ERROR' || cursor.nodeIsMissing) places.push(cursor.startPosition)
  })
  return places
}

function walk(tree: Tree, visit: (cursor: TreeCursor) => void): void {
  const cursor = tree.walk()
  try {
    for (;;) {
      visit(cursor)
      if (cursor.gotoFirstChild() || cursor.gotoNextSibling()) continue
      do {
        if (!cursor.gotoParent()) return
      } while (!cursor.gotoNextSibling())
    }
  } finally {
    cursor.delete()
  }
}
