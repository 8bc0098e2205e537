const reference = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z][a-z\d]{1,31}));/iy

/**
 * The character that a reference at `from` stands for (CommonMark 0.31.2, 2.5), and where it ends. Of the names of HTML
 * those are known that headings are written with: letters with marks, and the signs below.
 */
export function referenceAt(text: string, from: number): { character: string; end: number } | undefined {
  reference.lastIndex = from
  const [source, decimal, hexadecimal, name] = reference.exec(text) ?? []
  if (source === undefined) return undefined
  const character = name
    ? characterNamed(name)
    : characterOf(decimal ? Number(decimal) : Number.parseInt(hexadecimal as string, 16))
  return character === undefined ? undefined : { character, end: from + source.length }
}

function characterOf(code: number): string {
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  return isCharacter ? String.fromCodePoint(code) : '\ufffd'
}

function characterNamed(name: string): string | undefined {
  if (Object.hasOwn(signs, name)) return signs[name]
  const [, letter, mark] = /^([a-zA-Z])(grave|acute|circ|tilde|uml|ring|cedil|caron)$/.exec(name) ?? []
  if (letter === undefined || mark === undefined) return undefined
  const composed = `${letter}${marks[mark]}`.normalize('NFC')
  return composed.length === 1 ? composed : undefined
}

const marks: Record<string, string> = {
  grave: '\u0300',
  acute: '\u0301',
  circ: '\u0302',
  tilde: '\u0303',
  uml: '\u0308',
  ring: '\u030a',
  cedil: '\u0327',
  caron: '\u030c'
}

const signs: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  iexcl: '¡',
  iquest: '¿',
  laquo: '«',
  raquo: '»',
  szlig: 'ß',
  aelig: 'æ',
  AElig: 'Æ',
  oelig: 'œ',
  OElig: 'Œ',
  oslash: 'ø',
  Oslash: 'Ø',
  sect: '§',
  deg: '°',
  euro: '€',
  copy: '©',
  reg: '®',
  trade: '™',
  hellip: '…',
  ndash: '–',
  mdash: '—',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  bull: '•',
  middot: '·',
  times: '×',
  plusmn: '±',
  le: '≤',
  ge: '≥',
  ne: '≠',
  larr: '←',
  rarr: '→'
}
