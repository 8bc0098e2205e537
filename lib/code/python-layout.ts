import type { Node, Tree, TreeCursor } from 'web-tree-sitter'
import type { SyntaxProblem } from './syntax-checker.ts'

/**
 * What Python refuses and the grammar lets pass: bodies that are missing, statements of one block that do not line
 * up, and the statements of Python 2. For trees without errors only.
 */
export function layoutProblem(tree: Tree, source: string): SyntaxProblem | undefined {
  const rows = source.split('\n')
  let first: SyntaxProblem | undefined
  walk(tree, (cursor, place) => {
    const problem = problemOf(cursor, place, rows)
    if (problem && (!first || problem.line < first.line)) first = problem
  })
  return first
}

const clauses = new Set(['elif_clause', 'else_clause', 'except_clause', 'finally_clause'])

function problemOf(cursor: TreeCursor, place: Place, rows: string[]): SyntaxProblem | undefined {
  const type = cursor.nodeType
  if (clauses.has(type)) return clauseProblem(cursor, place, rows)
  if (type === 'module' || type === 'block') return blockProblem(cursor.currentNode, place, rows)
  if (type !== 'print_statement' && type !== 'exec_statement') return undefined
  // `print >>file, x` of Python 2 is a tuple with a shift in Python 3.
  if (cursor.currentNode.namedChildren.some((child) => child?.type === 'chevron')) return undefined
  const { row, column } = cursor.startPosition
  return at(row, column, `missing parentheses in call to '${type.replace('_statement', '')}'`)
}

/** `else` and its like stand below the statement they belong to. */
function clauseProblem(clause: TreeCursor, { parentRow }: Place, rows: string[]): SyntaxProblem | undefined {
  const { row, column } = clause.startPosition
  if (row === parentRow || widthOf(rows[row] ?? '') === widthOf(rows[parentRow] ?? '')) return undefined
  return at(row, column, 'unindent does not match any outer indentation level')
}

const at = (row: number, column: number, message: string): SyntaxProblem => ({
  line: row + 1,
  column: column + 1,
  message
})

function blockProblem(block: Node, { headerRow }: Place, rows: string[]): SyntaxProblem | undefined {
  const statements = block.namedChildren.filter((child) => child !== null && child.type !== 'comment') as Node[]
  const [first] = statements
  if (!first) return block.type === 'module' ? undefined : emptyBody(headerRow, rows)
  // `if x: y` has its body in the header's row.
  if (block.type === 'block' && first.startPosition.row === headerRow) return undefined
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
function emptyBody(header: number, rows: string[]): SyntaxProblem {
  let row = header + 1
  while (row < rows.length && !/^\s*[^\s#]/.test(rows[row] as string)) row += 1
  if (row === rows.length) row = header
  return at(row, widthOf(rows[row] ?? ''), `expected an indented block after line ${header + 1}`)
}

/** Width of a line's indentation; tabs reach to the next multiple of eight (reference manual, 2.1.8). */
export function widthOf(text: string): number {
  let width = 0
  for (const char of text) {
    if (char === ' ') width++
    else if (char === '\t') width += 8 - (width % 8)
    else if (char === '\f' || char === '\uFEFF') width = 0
    else break
  }
  return width
}

/** `headerRow`: where what stands before a node among its siblings ends (comments aside), which for a block is a colon. */
type Place = { parentRow: number; headerRow: number }

/**
 * Visits every node in order, without recursion: a source chooses how deep its tree is. Tells what is around a node,
 * because a tree is asked for parents and siblings from its root on, each time.
 */
function walk(tree: Tree, visit: (cursor: TreeCursor, place: Place) => void): void {
  const cursor = tree.walk()
  const around: Place[] = [{ parentRow: 0, headerRow: 0 }]
  try {
    for (;;) {
      visit(cursor, around.at(-1) as Place)
      const { row } = cursor.startPosition
      if (cursor.gotoFirstChild()) {
        around.push({ parentRow: row, headerRow: row })
        continue
      }
      while (!nextSibling(cursor, around.at(-1) as Place)) {
        if (!cursor.gotoParent()) return
        around.pop()
      }
    }
  } finally {
    cursor.delete()
  }
}

function nextSibling(cursor: TreeCursor, place: Place): boolean {
  if (cursor.nodeType !== 'comment') place.headerRow = cursor.endPosition.row
  return cursor.gotoNextSibling()
}
