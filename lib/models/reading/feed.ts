import { malformed } from '../provider-error.ts'
import { type ChatReading, wholeAnswer } from './chat-reading.ts'
import { createEventReader, type WireEvent } from './events.ts'
import { parsed } from './json.ts'
import { maxHeldBytes } from './limits.ts'

/** Takes the text of a body as it comes. */
export type Feed = { push(text: string): void; end(): void }

/**
 * Hands the body of an answer to its reading: event by event when it is a stream, at its end when it is one JSON value,
 * whatever its headers call it. What begins like a page is no answer.
 * Throws JobError `provider_malformed` for what cannot be read, and what the reading throws.
 */
export function createFeed(reading: ChatReading): Feed {
  let blanks = 0
  let feed: Feed | undefined
  return {
    push(text) {
      const rest = feed ? text : text.trimStart()
      if (!feed && rest === '') {
        blanks += text.length
        if (blanks > maxHeldBytes) throw malformed('nothing but blanks')
        return
      }
      if (!feed && rest.startsWith('<')) throw malformed('a page instead of an answer')
      feed ??= /^[{[]/.test(rest) ? wholeFeed(reading) : eventFeed(reading)
      feed.push(rest)
    },
    end() {
      feed?.end()
    }
  }
}

function wholeFeed(reading: ChatReading): Feed {
  const parts: string[] = []
  let length = 0
  return {
    push(text) {
      length += text.length
      if (length > maxHeldBytes) throw malformed('an answer that is too large')
      parts.push(text)
    },
    end() {
      const text = parts.join('')
      const value = parsed(text)
      if (value !== undefined) return reading.take(value, wholeAnswer)
      // Lines of JSON, each a chunk.
      const events = eventFeed(reading)
      events.push(text)
      events.end()
    }
  }
}

function eventFeed(reading: ChatReading): Feed {
  const events = createEventReader(maxHeldBytes)

  function take({ name, data }: WireEvent): void {
    if (data.trim() === '[DONE]') return reading.done()
    const value = parsed(data)
    if (value !== undefined) reading.take(value, name)
    else for (const line of data.split('\n')) takeLine(line.trim(), name)
  }

  /** Lines of one event are one value, unless its server ends events with a single line feed. */
  function takeLine(line: string, name: string): void {
    if (line === '[DONE]') return reading.done()
    const value = parsed(line)
    if (value !== undefined) reading.take(value, name)
    else if (line.startsWith('{') || line.startsWith('[')) throw malformed('an event that is no JSON')
    else if (name === 'error') throw malformed('an error without words')
  }

  function takeAll(found: Iterable<WireEvent>): void {
    for (const event of found) {
      if (reading.isOver()) return
      take(event)
    }
  }

  return {
    push: (text) => takeAll(events.push(text)),
    end: () => takeAll(events.end())
  }
}
