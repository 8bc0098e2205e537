const url = /(?:https?:\/\/|ftp:\/\/|www\.)[^\s<>"`[]+/gi
const punctuation = new Set('.,;:!?\'"*_~)]}|\\')
const maxUrlChars = 2_000
/** Punctuation behind a link that may be a part of it; nobody's links end in more. */
const maxTail = 16

/** Whether an answer may link to a target. */
export type Linkable = (target: string) => boolean

/**
 * Links that texts contain, character by character, with and without the punctuation that follows them. An answer may
 * repeat one of these; one that it changed, and be it by a parameter, may carry away what it was told.
 */
export function linksIn(texts: Iterable<string>): Linkable {
  const known = new Set<string>()
  for (const text of texts) {
    for (const [match] of text.matchAll(url)) {
      for (const link of withoutTail(match)) if (link.length <= maxUrlChars) known.add(link)
    }
  }
  return (target) => known.has(target)
}

/** A link with what may be punctuation behind it, then with less and less of it, then without. */
function withoutTail(link: string): string[] {
  let core = link.length
  while (core > 0 && punctuation.has(link.charAt(core - 1))) core -= 1
  // The sign before the punctuation belongs to the link whatever it is.
  const least = Math.max(core, 1)
  const most = Math.min(link.length, core + maxTail)
  return Array.from({ length: most - least + 1 }, (_, less) => link.slice(0, most - less))
}

/** The target of a link in parentheses: `(<url> "title")` or `(url)`; and whether it has ended. */
export function readTarget(text: string, from: number): { end: number; target: string } | 'open' | 'endless' {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    if (at - from > maxUrlChars + 400) return 'endless'
    const char = text[at]
    if (char === '\\') at++
    else if (char === '(') depth++
    else if (char === ')' && --depth === 0) {
      const inner = text.slice(from + 1, at).trim()
      const target = /^<([^<>\n]*)>/.exec(inner)?.[1] ?? inner.split(/\s/)[0] ?? ''
      return { end: at + 1, target }
    } else if (char === '\n' && text[at + 1] === '\n') return 'endless'
  }
  return 'open'
}

const risky =
  'a|applet|area|audio|base|bgsound|body|button|embed|form|frame|frameset|iframe|image|img|input|link|math|meta|object|picture|portal|script|source|style|svg|table|td|template|th|tr|track|use|video'
const riskyStart = new RegExp(`^</?(?:${risky})(?![A-Za-z0-9-])`, 'i')
const never =
  /^<\/?(?:applet|audio|base|embed|form|frame|frameset|iframe|image|img|input|link|meta|object|portal|script|source|style|svg|template|track|video)(?![A-Za-z0-9-])/i
const attribute = String.raw`\s+[A-Za-z_:@][\w.:-]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>\x60]+))?`
const tag = new RegExp(String.raw`^</?[A-Za-z][A-Za-z0-9-]*(?:${attribute})*\s*/?>`)
/** What can still become a tag: one that stops somewhere. */
const tagBeginning = new RegExp(
  String.raw`^</?(?:[A-Za-z][A-Za-z0-9-]*(?:${attribute})*(?:\s*/|\s+[A-Za-z_:@][\w.:-]*\s*(?:=\s*(?:"[^"]*|'[^']*)?)?|\s*)?)?$`
)
const reaching =
  /\s(?:src|href|srcset|poster|data|action|formaction|background|style|xlink:href|ping|cite|content|srcdoc|on[a-z]+)\s*=/i
const maxTagChars = 600

/**
 * What to do at the beginning of a text: `more` of it is needed, or so many characters become that text.
 * `cut`: something behind it was taken out.
 */
export type Decision = 'more' | { take: number; put: string; cut?: boolean }

/**
 * HTML that loads or links something is taken out, unless all it names may be linked to. What only looks like such a
 * tag is disarmed, because browsers are less strict about tags than Markdown is.
 */
export function decideTag(text: string, isLast: boolean, linkable: Linkable): Decision {
  const window = text.slice(0, maxUrlChars)
  const mayGrow = !isLast && text.length < maxUrlChars
  const autolink = /^<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*)>/.exec(window)
  if (autolink) return { take: autolink[0].length, put: linkable(autolink[1] ?? '') ? autolink[0] : removedLink }
  if (mayGrow && /^<(?:[A-Za-z][A-Za-z0-9+.-]{0,31}(?::[^\s<>]*)?)?$/.test(window)) return 'more'
  const near = text.slice(0, maxTagChars)
  const whole = tag.exec(near)?.[0]
  if (whole) return { take: whole.length, put: isHarmless(whole, linkable) ? whole : '' }
  if (!isLast && text.length < maxTagChars && tagBeginning.test(near)) return 'more'
  return { take: 1, put: riskyStart.test(near) ? '< ' : '<' }
}

function isHarmless(whole: string, linkable: Linkable): boolean {
  if (never.test(whole)) return false
  if (!reaching.test(whole)) return true
  const values = [...whole.matchAll(/\s([\w:@.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))/g)]
  return values.every(([, name = '', a, b, c]) => {
    if (!reaching.test(` ${name}=`)) return true
    return /^(?:src|href)$/i.test(name) && linkable(a ?? b ?? c ?? '')
  })
}

/** A bare link, which renderers make clickable by themselves. */
export function decideBareLink(text: string, isLast: boolean, linkable: Linkable): Decision | undefined {
  const start = /^(?:https?:\/\/|ftp:\/\/|www\.)/i.exec(text)
  if (!start) {
    const partial =
      !isLast && ['http://', 'https://', 'ftp://', 'www.'].some((scheme) => scheme.startsWith(text.toLowerCase()))
    return partial ? 'more' : undefined
  }
  // Renderers take everything up to a blank or `<` for the link (GFM, 6.9), so that is what has to be known.
  const token = /^[^\s<]+/.exec(text.slice(0, maxUrlChars))?.[0] ?? ''
  if (token.length === text.length && !isLast) return 'more'
  const cut = token.split(/["`[]/, 1)[0] ?? token
  const known = knownBeginning(token, start[0].length, linkable) ?? knownBeginning(cut, start[0].length, linkable)
  if (known !== undefined) {
    const apart = /[^.,;:!?'"*_~)\]}]/.test(token.slice(known.length)) ? ' ' : ''
    return { take: known.length, put: known + apart }
  }
  let length = cut.length
  while (length > 0 && '.,;:!?)]}*_~'.includes(cut.charAt(length - 1))) length -= 1
  // A scheme alone is a word.
  if (length <= start[0].length) return { take: start[0].length, put: start[0] }
  return { take: length, put: removedLink }
}

/** The link that a text begins with, but for punctuation behind it. */
function knownBeginning(text: string, least: number, linkable: Linkable): string | undefined {
  return withoutTail(text).find((link) => link.length > least && linkable(link))
}

/** Stands where a link was that the sources do not have. */
export const removedLink = '[link removed]'
