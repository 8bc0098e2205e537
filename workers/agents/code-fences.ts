const opener = /^([ \t]*)((?:>[ \t]?|(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(`{3,}(?!`)|~{3,}(?!~))(.*)$/
const listMarker = /^[ \t]*(?:>[ \t]?)*(?:[-*+]|\d{1,9}[.)])[ \t]+/

export type LineKind = 'prose' | 'open' | 'inside' | 'close'

/**
 * Tells line by line which lines of a Markdown text are code (CommonMark 0.31, 4.5, lists and quotes included).
 * Strict where renderers could differ: what is doubtful is prose, and prose is what gets looked through.
 */
export function createFenceTracker() {
  /** column at which the content of the list item begins that we are in */
  let container = 0
  let fence: { char: string; length: number; container: number; quoted: boolean } | undefined

  function insideFence(line: string): LineKind | undefined {
    if (!fence) return undefined
    if (fence.quoted && !/^[ \t]*>/.test(line)) return leave()
    const content = fence.quoted ? line.replace(/^[ \t]*(?:>[ \t]?)+/, '') : line
    if (content.trim() === '') return 'inside'
    const indent = widthOf(/^[ \t]*/.exec(content)?.[0] ?? '')
    if (!fence.quoted && indent < fence.container) return leave()
    const closing = /^[ \t]*(`+|~+)[ \t]*$/.exec(content)?.[1]
    if (!closing?.startsWith(fence.char) || closing.length < fence.length) return 'inside'
    if (indent >= fence.container + 4) return 'inside'
    fence = undefined
    return 'close'
  }

  /** The container ended, and the fence with it: the line is to be looked at as prose. */
  function leave(): undefined {
    fence = undefined
    container = 0
  }

  function opens(line: string): boolean {
    const [, indent = '', markers = '', marks = '', info = ''] = opener.exec(line) ?? []
    if (marks === '' || (marks.startsWith('`') && info.includes('`'))) return false
    const width = widthOf(indent)
    if (width >= container + 4) return false
    const listed = /[-*+\d]/.test(markers)
    if (listed) container = widthOf(indent + markers)
    else if (width < container) container = 0
    fence = { char: marks.charAt(0), length: marks.length, container, quoted: markers.includes('>') }
    return true
  }

  return {
    /** Takes the next line, or so much of its beginning that `isUndecided` says no. */
    classify(line: string): LineKind {
      const inside = insideFence(line)
      if (inside) return inside
      if (opens(line)) return 'open'
      if (line.trim() !== '') {
        const marker = listMarker.exec(line)?.[0]
        if (marker) container = widthOf(marker)
        else if (widthOf(/^[ \t]*/.exec(line)?.[0] ?? '') < container) container = 0
      }
      return 'prose'
    },

    /** Whether the beginning of a line leaves open what the line is. */
    isUndecided(beginning: string): boolean {
      if (fence) return /^[ \t>]*(?:`*|~*)[ \t]*$/.test(beginning)
      return (
        /^[ \t]*(?:>[ \t]?|(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:[-*+]|\d{1,9}[.)]?|`{0,2}|~{0,2})$/.test(beginning) ||
        opener.test(beginning)
      )
    }
  }
}

function widthOf(text: string): number {
  let width = 0
  for (const char of text) width += char === '\t' ? 4 - (width % 4) : 1
  return width
}
