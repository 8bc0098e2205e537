import { malformed } from '../provider-error.ts'

export type WireEvent = { name: string; data: string }

/**
 * Reads server-sent events from text that comes in pieces (the HTML standard, 9.2.6), and what servers send in their
 * place: an `error:` field (llama.cpp), and lines of JSON that stand in no field.
 * @param mostChars of one event
 * @throws JobError `provider_malformed` for a larger one
 */
export function createEventReader(mostChars: number) {
  let line = ''
  let afterReturn = false
  let name = ''
  let data: string[] = []
  let size = 0

  function* push(text: string): Generator<WireEvent> {
    const piece = afterReturn && text.startsWith('\n') ? text.slice(1) : text
    if (text !== '') afterReturn = text.endsWith('\r')
    let from = 0
    for (const { 0: ending, index } of piece.matchAll(/\r\n|\r|\n/g)) {
      const whole = line + piece.slice(from, index)
      line = ''
      from = index + ending.length
      yield* endLine(whole)
    }
    line += piece.slice(from)
    if (size + line.length > mostChars) throw malformed('an event that is too large')
  }

  function* endLine(text: string): Generator<WireEvent> {
    if (text === '') return yield* dispatch()
    if (text.startsWith('{') || text.startsWith('[')) {
      yield* dispatch()
      return yield { name: '', data: text }
    }
    const colon = text.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(text.charAt(colon + 1) === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') name = value
    if (field === 'error') name = 'error'
    // Some end their events with a single line feed.
    if (data.length === 0 && value.startsWith('{') && value.endsWith('}')) {
      if (field === 'data' || field === 'error') data.push(value)
      return yield* dispatch()
    }
    if (field === 'data' || field === 'error') {
      data.push(value)
      size += value.length + 1
      if (size > mostChars) throw malformed('an event that is too large')
    }
  }

  function* dispatch(): Generator<WireEvent> {
    const event = { name, data: data.join('\n') }
    name = ''
    data = []
    size = 0
    if (event.data.trim() !== '') yield event
  }

  return {
    push,
    /** What came last without the empty line behind it: servers end like that. */
    *end(): Generator<WireEvent> {
      const last = line
      line = ''
      if (last !== '') yield* endLine(last)
      yield* dispatch()
    }
  }
}
