import { referenceAt } from './character-reference.ts'
import { destinationEnd, labelAt, labelOf, titleEnd } from './link.ts'
import { tagEnd } from './tag.ts'

/** Text as it reads, or a run of signs that may be emphasis. */
type Piece = { text: string; run?: Run | undefined }
type Run = { sign: string; length: number; opens: boolean; closes: boolean }
type Opener = { piece: Piece; run: Run }
/** What may open a link: the piece it is, and where the text of the link begins. */
type Bracket = { isImage: boolean; from: number; index: number; isActive: boolean }

/**
 * Inline Markdown as it reads (CommonMark 0.31.2, 6): without emphasis, code marks, link targets and tags, with escapes
 * and character references resolved, in one line.
 * @param text short: a heading. Time grows with the square of its length at worst.
 * @param isDefined whether a definition of links has this label
 */
export function plainText(text: string, isDefined: (label: string) => boolean): string {
  if (!special.test(text)) return text.replace(/\s+/g, ' ').trim()
  const pieces: Piece[] = []
  const brackets: Bracket[] = []
  /** Lengths of code marks that nothing closes. */
  const missing = new Set<number>()
  for (let at = 0; at < text.length; ) at = readPiece(at)
  dropEmphasis(pieces, 0)
  return pieces
    .map((piece) => piece.text)
    .join('')
    .replace(/\s+/g, ' ')
    .trim()

  function readPiece(at: number): number {
    const sign = text[at] as string
    const next = text[at + 1] ?? ''
    if (sign === '\\' && (escapable.test(next) || next === '\n')) return add(next, at + 2)
    if (sign === '`') return readCode(at)
    if (sign === '*' || sign === '_') return readRun(at, sign)
    if (sign === '[' || (sign === '!' && next === '[')) {
      const from = at + (sign === '[' ? 1 : 2)
      brackets.push({ isImage: sign === '!', from, index: pieces.length, isActive: true })
      return add(text.slice(at, from), from)
    }
    if (sign === ']') return readClose(at)
    if (sign === '<') return readAngle(at)
    if (sign === '&') {
      const reference = referenceAt(text, at)
      return reference ? add(reference.character, reference.end) : add(sign, at + 1)
    }
    const plain = matchAt(plainRun, text, at) || sign
    return add(plain, at + plain.length)
  }

  function add(plain: string, next: number): number {
    pieces.push({ text: plain })
    return next
  }

  function readCode(at: number): number {
    const length = runLength(text, at)
    const from = at + length
    for (let end = missing.has(length) ? -1 : text.indexOf('`', from); end >= 0; ) {
      const run = runLength(text, end)
      if (run === length) return add(codeText(text.slice(from, end)), end + run)
      end = text.indexOf('`', end + run)
    }
    missing.add(length)
    return add(text.slice(at, from), from)
  }

  function readRun(at: number, sign: string): number {
    const length = runLength(text, at)
    const before = characterBefore(text, at)
    const after = String.fromCodePoint(text.codePointAt(at + length) ?? 32)
    const left = !space.test(after) && (!punctuation.test(after) || space.test(before) || punctuation.test(before))
    const right = !space.test(before) && (!punctuation.test(before) || space.test(after) || punctuation.test(after))
    const opens = left && (sign === '*' || !right || punctuation.test(before))
    const closes = right && (sign === '*' || !left || punctuation.test(after))
    pieces.push({ text: text.slice(at, at + length), run: { sign, length, opens, closes } })
    return at + length
  }

  function readAngle(at: number): number {
    const link = matchAt(autolink, text, at)
    if (link) return add(link.slice(1, -1), at + link.length)
    const end = tagEnd(text, at) ?? at + (matchAt(otherMarkup, text, at)?.length ?? 0)
    return end > at ? end : add('<', at + 1)
  }

  /** A closing bracket: what it closes is a link, or it and the one that opened are text. */
  function readClose(at: number): number {
    const bracket = brackets.pop()
    const end = bracket?.isActive ? linkEnd(at, bracket) : undefined
    if (!bracket || end === undefined) return add(']', at + 1)
    pieces[bracket.index] = { text: '' }
    dropEmphasis(pieces, bracket.index)
    // A link holds no other link, so what is open around it cannot become one.
    if (!bracket.isImage) deactivate()
    return end
  }

  function deactivate(): void {
    for (let at = brackets.length - 1; at >= 0; at--) {
      const around = brackets[at] as Bracket
      if (!around.isActive) return
      if (!around.isImage) around.isActive = false
    }
  }

  function linkEnd(at: number, { from }: Bracket): number | undefined {
    const inline = text[at + 1] === '(' ? inlineEnd(at + 2) : undefined
    if (inline !== undefined) return inline
    const label = text[at + 1] === '[' ? labelAt(text, at + 1) : undefined
    if (label !== undefined && label !== '') return isDefined(labelOf(label)) ? at + label.length + 3 : undefined
    // The brackets must hold no others, as in every label.
    const own = labelAt(text, from - 1)
    if (own === undefined || own.length !== at - from || !isDefined(labelOf(own))) return undefined
    return label === '' ? at + 3 : at + 1
  }

  function inlineEnd(from: number): number | undefined {
    const first = skipSpace(text, from)
    const target = destinationEnd(text, first) ?? first
    const next = skipSpace(text, target)
    const title = next > target ? titleEnd(text, next) : undefined
    const end = title === undefined ? next : skipSpace(text, title)
    return text[end] === ')' ? end + 1 : undefined
  }
}

/** Takes the signs of emphasis out of the pieces from `first` (6.2, by the algorithm in its appendix). */
function dropEmphasis(pieces: Piece[], first: number): void {
  const openers: Opener[] = []
  /** Below these no opener fits a closer of that kind. */
  const bottoms = new Map<string, number>()
  for (let at = first; at < pieces.length; at++) {
    const piece = pieces[at] as Piece
    const { run } = piece
    if (!run) continue
    const kind = `${run.sign}${run.opens}${run.length % 3}`
    while (run.closes && piece.text !== '') {
      const index = openerOf(openers, run, bottoms.get(kind) ?? 0)
      const opener = openers[index]?.piece
      if (!opener) {
        bottoms.set(kind, openers.length)
        break
      }
      const used = opener.text.length > 1 && piece.text.length > 1 ? 2 : 1
      opener.text = opener.text.slice(used)
      piece.text = piece.text.slice(used)
      openers.length = opener.text === '' ? index : index + 1
      for (const [key, bottom] of bottoms) bottoms.set(key, Math.min(bottom, openers.length))
    }
    if (run.opens && piece.text !== '') openers.push({ piece, run })
    piece.run = undefined
  }
}

/** The last opener that the closing run may end. */
function openerOf(openers: Opener[], closer: Run, bottom: number): number {
  for (let at = openers.length - 1; at >= bottom; at--) {
    const { run } = openers[at] as Opener
    if (run.sign !== closer.sign) continue
    const isThird = (run.length + closer.length) % 3 === 0 && (run.length % 3 !== 0 || closer.length % 3 !== 0)
    if (!isThird || !(run.closes || closer.opens)) return at
  }
  return -1
}

const escapable = /[!-/:-@[-`{-~]/
const space = /\s/u
const punctuation = /[\p{P}\p{S}]/u
const special = /[\\`*_![\]<&]/
const plainRun = /[^\\`*_![\]<&]+/y
const autolink = /<(?:[a-z][a-z0-9+.-]{1,31}:[^\s<>]*|[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9.-]+)>/iy
const otherMarkup = /<!-->|<!--->|<!--[^]*?-->|<\?[^]*?\?>|<![a-z][^>]*>|<!\[CDATA\[[^]*?\]\]>/iy

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

function runLength(text: string, from: number): number {
  let end = from + 1
  while (text[end] === text[from]) end += 1
  return end - from
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n') at += 1
  return at
}

function characterBefore(text: string, at: number): string {
  const code = text.codePointAt(at - 2)
  return code !== undefined && code > 0xffff ? String.fromCodePoint(code) : (text[at - 1] ?? ' ')
}

function codeText(text: string): string {
  const flat = text.replaceAll('\n', ' ')
  return flat.startsWith(' ') && flat.endsWith(' ') && flat.trim() !== '' ? flat.slice(1, -1) : flat
}
