/** The text with plain letters for those with marks, each in its place: "añade" → "anade". */
export const withoutMarks = (text: string): string =>
  text.replace(/[\u00c0-\u024f]/g, (letter) => letter.normalize('NFD').charAt(0))

/** The beginning of a text with single spaces, so that no pattern has a run of them to try in every way. */
export const evenSpaces = (text: string): string =>
  text
    .slice(0, 4_000)
    .replace(/[^\S\n]+/g, ' ')
    .replace(/\n+/g, '\n')
