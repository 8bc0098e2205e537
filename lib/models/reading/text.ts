/** A pair of escapes that is one character, or one escape, in the text of JSON (RFC 8259, 7). */
const jsonEscape = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u([\da-fA-F]{4})|[^u])/g

/** A text that PostgreSQL keeps (its manual, 8.3 and 8.14): without NUL, and with U+FFFD for each half of a surrogate pair. */
export const storable = (text: string): string => text.replaceAll('\u0000', '').toWellFormed()

/** JSON whose strings are storable also after it was parsed, when its escapes have become characters. */
export function storableJson(text: string): string {
  return storable(text).replace(jsonEscape, (escape, code: string | undefined) => {
    if (code === undefined) return escape
    const unit = Number.parseInt(code, 16)
    if (unit === 0) return ''
    return unit >= 0xd800 && unit <= 0xdfff ? '\\ufffd' : escape
  })
}

/** `storable` for a text that comes in pieces, which may be cut between the halves of a character. */
export function createTextCleaner() {
  let held = ''
  return {
    push(piece: string): string {
      const text = held + piece.replaceAll('\u0000', '')
      const last = text.charCodeAt(text.length - 1)
      held = last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : ''
      return text.slice(0, text.length - held.length).toWellFormed()
    },
    end(): string {
      const last = held.toWellFormed()
      held = ''
      return last
    }
  }
}
