import { createFenceTracker } from './code-fences.ts'
import { decideBareLink, decideTag, type Decision, type Linkable, readTarget, removedLink } from './links.ts'

const citation = /^\[\d{1,4}(?: {0,2}[,;–-] {0,2}\d{1,4}){0,9}\]/
const citationBeginning = /^\[(?:\d{1,4} {0,2}[,;–-] {0,2}){0,9}(?:\d{1,4} {0,2})?$/
/** A target that leads away from where the answer is shown. */
const elsewhere = /^(?:[a-z][a-z0-9+.-]*:|[/\\]{2}|www\.)/i
const maxLinkTextChars = 300
const maxCodeSpanChars = 1_000
const maxLineChars = 1_000
/** Of a long text so much is looked at as one: what is taken out of it moves what stands behind it. */
const pieceChars = 4_096
/**
 * Characters of what waits that may be looked at again for each that comes. What can be decided is then shown a few
 * characters late, and a text that comes in small pieces takes no more time than the same in one.
 */
const looksPerChar = 16
/** Where something may begin that has to be looked at. */
const special = /[`<![\] \nhfw]/i

export type AnswerFilter = {
  /** Takes the next piece of an answer. @returns what may be shown of it, and of what was held back before */
  push(piece: string): string
  /** The rest, when nothing more comes. */
  end(): string
  /** Numbers that were cited so far, each once, in order. */
  cited(): number[]
}

/**
 * Takes out of an answer what it must not have, while it is being written: citations of nothing, and links and images
 * that the sources do not contain. Code stays as it is. However the text is cut into pieces, the same comes out.
 * @param citable whether there is a source of that number
 */
export function createAnswerFilter({
  citable,
  linkable
}: {
  citable: (n: number) => boolean
  linkable: Linkable
}): AnswerFilter {
  const fences = createFenceTracker()
  const cited = new Set<number>()
  let held = ''
  /** the last word that came out, and whether something was taken out behind it */
  let word = ''
  let seam = false
  /** whether brackets of our own came out last */
  let replaced = false
  let text = ''
  let mode: 'line-start' | 'prose' | 'raw' = 'line-start'
  /** within a run of backticks that is too long to begin code */
  let passing = false
  /** characters of a text that waits which may be looked at before more comes */
  let looks = 0

  function add(more: string): string {
    let out = ''
    for (let from = 0; from < more.length; from += pieceChars) {
      const piece = more.slice(from, from + pieceChars)
      looks += piece.length * looksPerChar
      text += piece
      if (text.length > looks) continue
      out += run(false)
      looks = 0
    }
    return out
  }

  function run(isLast: boolean): string {
    let out = ''
    while (text !== '') {
      const decision = mode === 'line-start' ? startLine(isLast) : mode === 'raw' ? rawLine() : prose(isLast)
      if (decision === 'more') break
      out += emit(decision.put)
      seam ||= decision.cut ?? (decision.take > 0 && decision.put === '')
      text = text.slice(decision.take)
    }
    return out
  }

  /** Where something was taken out, what is left and right of it must not become something new. */
  function emit(put: string): string {
    if (put === '') return ''
    const cutOff = seam && word !== '' && !(isLink(word) ? /^\s/ : /^[\s.,;:!?)"'’”…*_]/).test(put)
    // Brackets of our own must not make an image of a mark, or a reference of what stands before them, or a link or a
    // definition with what stands behind them.
    const apart = cutOff || (put === removedLink && /[!\]]$/.test(word)) || (replaced && /^[([:]/.test(put))
    const shown = apart ? ` ${put}` : put
    seam = false
    replaced = put === removedLink
    const blank = lastBlank(shown)
    word = blank < 0 ? word + shown : shown.slice(blank + 1)
    // A long word needs no more than to be known for one that has a link in it.
    if (word.length > 200) word = (isLink(word) ? 'www.' : '') + word.slice(-100)
    return shown
  }

  function startLine(isLast: boolean): Decision {
    const end = text.indexOf('\n')
    const line = text.slice(0, end < 0 ? maxLineChars : Math.min(end, maxLineChars))
    const mayGrow = !isLast && end < 0 && text.length < maxLineChars
    if (mayGrow && (fences.isUndecided(line) || /^ {0,3}\[[^\]\n]*(?:\](?::.*)?)?$/.test(line))) return 'more'
    if (fences.classify(line) !== 'prose') {
      mode = 'raw'
      return { take: 0, put: '' }
    }
    mode = 'prose'
    const definition = /^ {0,3}\[(?!\^)[^\]\n]+\]:[ \t]*<?([^\s<>]*)/.exec(line)
    const [, target = ''] = definition ?? []
    if (!elsewhere.test(target)) return { take: 0, put: '' }
    if (!linkable(target)) return { take: line.length, put: '' }
    // A number with a target would make links, or images, of citations.
    const numbered = /^( {0,3}\[\d{1,4}\]):/.exec(line)
    if (numbered) text = `${numbered[1]} ${text.slice(numbered[0].length)}`
    return { take: 0, put: '' }
  }

  /** A line of code, as it is. */
  function rawLine(): Decision {
    const end = text.indexOf('\n')
    const line = end < 0 ? text : text.slice(0, end + 1)
    if (end >= 0) mode = 'line-start'
    return { take: line.length, put: line }
  }

  function prose(isLast: boolean): Decision {
    const next = text.search(special)
    if (next !== 0) {
      passing = false
      const length = next < 0 ? text.length : next
      return { take: length, put: text.slice(0, length) }
    }
    const char = text.charAt(0)
    passing &&= char === '`'
    if (char === '\n') {
      mode = 'line-start'
      return { take: 1, put: '\n' }
    }
    if (char === '`') return codeSpan(isLast)
    if (char === '<') return decideTag(text, isLast, linkable)
    if (char === ' ') return spaces(isLast)
    if (char === '[') return bracket(isLast)
    if (char === '!') return image(isLast)
    if (char === ']') return closing(isLast)
    return decideBareLink(text, isLast, linkable) ?? { take: 1, put: char }
  }

  function codeSpan(isLast: boolean): Decision {
    const marks = /^`+/.exec(text)?.[0] ?? ''
    if (passing || marks.length >= maxCodeSpanChars) {
      passing = marks.length === text.length
      return { take: marks.length, put: marks }
    }
    if (marks.length === text.length && !isLast) return 'more'
    const line = text.slice(0, maxCodeSpanChars).split('\n', 1)[0] ?? ''
    const rest = line.slice(marks.length)
    const end = marksIn(rest, marks.length)
    const mayGoOn = !isLast && line.length === text.length
    // Marks at the very end may still become more.
    if (mayGoOn && (end < 0 || end + marks.length === rest.length)) return 'more'
    // A table's cells end at a bar, whatever code spans say, and then there is no code.
    const inside = rest.slice(0, Math.max(end, 0))
    if (end < 0 || (inside.includes('|') && /\]\(|:\/\/|<\w/.test(inside))) return { take: marks.length, put: marks }
    const length = marks.length * 2 + end
    return { take: length, put: text.slice(0, length) }
  }

  /** Spaces before a citation of nothing go with it. */
  function spaces(isLast: boolean): Decision {
    const length = /^ +/.exec(text)?.[0].length ?? 1
    if (length === text.length && !isLast && length < maxLineChars) return 'more'
    const rest = text.slice(length)
    if (!rest.startsWith('[')) return { take: length, put: text.slice(0, length) }
    const decided = citations(rest, isLast)
    if (decided === 'more') return 'more'
    return decided?.put === '' ? { take: length + decided.take, put: '' } : { take: length, put: text.slice(0, length) }
  }

  function citations(at: string, isLast: boolean): Decision | undefined {
    const match = citation.exec(at)?.[0]
    if (match === undefined) return !isLast && citationBeginning.test(at) ? 'more' : undefined
    if (match.length === at.length && !isLast) return 'more'
    // Some write citations as links; the number is what counts.
    const target = at.charAt(match.length) === '(' ? readTarget(at, match.length) : undefined
    if (target === 'open' && !isLast) return 'more'
    const take = typeof target === 'object' ? target.end : match.length
    const good = [...new Set(numbersIn(match))].filter(citable)
    const apart = target !== undefined && take === match.length && good.length > 0 ? ' ' : ''
    return { take, put: good.map((n) => `[${n}]`).join('') + apart, cut: good.length === 0 || take > match.length }
  }

  function bracket(isLast: boolean): Decision {
    const decided = citations(text, isLast)
    if (decided === 'more') return 'more'
    if (decided) {
      for (const n of numbersIn(decided.put)) cited.add(n)
      return decided
    }
    return link(isLast)
  }

  /** Images are loaded without anyone asking for it, so there are none: what was to be one becomes its text. */
  function image(isLast: boolean): Decision {
    if (text.length === 1) return isLast ? { take: 1, put: '!' } : 'more'
    if (text.charAt(1) !== '[') return { take: 1, put: '!' }
    const decided = citations(text.slice(1), isLast)
    if (decided === 'more') return 'more'
    if (decided) return { take: 1, put: '!' }
    const found = linkAt(1, isLast)
    if (found === 'more') return 'more'
    if (typeof found === 'object') return becomeText(2, found)
    return { take: 1, put: '' }
  }

  /** A link whose target the sources do not have becomes its text, which is looked at in its turn. */
  function link(isLast: boolean): Decision {
    const found = linkAt(0, isLast)
    if (found === 'more') return 'more'
    // What has no end is disarmed when its bracket is reached.
    if (found === undefined || linkable(found.target)) return { take: 1, put: '[' }
    return becomeText(1, found)
  }

  type Link = { close: number; end: number; target: string }

  /** The link with its bracket at `open`; `undefined` when there is none. */
  function linkAt(open: number, isLast: boolean): Link | 'more' | undefined {
    const close = closingBracket(text, open)
    if (close === 'none') return undefined
    if (close === 'open' || close + 1 === text.length) return isLast ? undefined : 'more'
    if (text.charAt(close + 1) !== '(') return undefined
    const target = readTarget(text, close + 1)
    if (target === 'open' && !isLast) return 'more'
    return typeof target === 'object' ? { close, ...target } : undefined
  }

  function becomeText(from: number, { close, end }: Link): Decision {
    text = text.slice(from, close) + text.slice(end)
    seam = true
    return { take: 0, put: '' }
  }

  /** `](target)`: kept for what may be linked to, without its target otherwise. */
  function closing(isLast: boolean): Decision {
    if (text.length === 1) return isLast ? { take: 1, put: ']' } : 'more'
    if (text.charAt(1) !== '(') return { take: 1, put: ']' }
    const target = readTarget(text, 1)
    if (target === 'open') return isLast ? { take: 2, put: '] (' } : 'more'
    if (target === 'endless') return { take: 2, put: '] (' }
    if (linkable(target.target)) return { take: target.end, put: text.slice(0, target.end) }
    return { take: target.end, put: ']', cut: true }
  }

  return {
    push(piece) {
      const received = held + storable(piece)
      // The second half of a character may come with the next piece.
      held = /[\ud800-\udbff]$/.exec(received)?.[0] ?? ''
      return add(received.slice(0, received.length - held.length).toWellFormed())
    },
    end() {
      const last = held.toWellFormed()
      held = ''
      return add(last) + run(true)
    },
    cited: () => [...cited]
  }
}

/** The whole of an answer through the filter at once. */
export function filterAnswer(answer: string, filter: AnswerFilter): string {
  return filter.push(answer) + filter.end()
}

/** The same in steps. */
export function* filtering(answer: string, filter: AnswerFilter): Generator<void, string> {
  let out = ''
  for (let from = 0; from < answer.length; from += pieceChars) {
    out += filter.push(answer.slice(from, from + pieceChars))
    yield
  }
  return out + filter.end()
}

const isLink = (word: string) => /:\/\/|www\.?/i.test(word)

/** Where there are so many backticks and not more; -1 when nowhere. */
function marksIn(text: string, count: number): number {
  let end = 0
  for (let start = text.indexOf('`'); start >= 0; start = text.indexOf('`', end)) {
    end = start + 1
    while (text[end] === '`') end += 1
    if (end - start === count) return start
  }
  return -1
}

function lastBlank(text: string): number {
  let at = text.length - 1
  while (at >= 0 && !/\s/.test(text.charAt(at))) at -= 1
  return at
}

/** `[1, 3–5]` → 1, 3, 4, 5. */
function numbersIn(brackets: string): number[] {
  return [...brackets.matchAll(/(\d+)(?:\s*[–-]\s*(\d+))?/g)].flatMap(([, from = '', to]) => {
    const first = Number(from)
    const last = to === undefined ? first : Number(to)
    return last < first || last - first > 10
      ? [first, last]
      : Array.from({ length: last - first + 1 }, (_, at) => first + at)
  })
}

/** `open`: not come to yet; `none`: there is none within reach. */
function closingBracket(text: string, open: number): number | 'open' | 'none' {
  let depth = 0
  for (let at = open; at < text.length; at++) {
    if (at - open > maxLinkTextChars) return 'none'
    const char = text[at]
    if (char === '\\') at++
    else if (char === '[') depth++
    else if (char === ']' && --depth === 0) return at
    else if (char === '\n') return 'none'
  }
  return 'open'
}

/** PostgreSQL keeps no NUL, and lines end with a line feed. */
const storable = (piece: string) => piece.replaceAll('\u0000', '').replaceAll('\r', '')
