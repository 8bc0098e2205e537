import { malformed } from '../provider-error.ts'
import { type ChatReading, wholeAnswer } from './chat-reading.ts'
import { createEventReader, type WireEvent } from './events.ts'
import { parsed } from './json.ts'
import { maxHeldBytes } from './limits.ts'

/** Takes the text of a body as it comes. @returns whether its end has been said */
export type Feed = { push(text: string): boolean; end(): void }

/**
 * Hands the body of an answer to its reading: event by event when it is a stream, at its end when it is one JSON value,
 * whatever its headers call it. What begins like a page is no answer.
 * Throws JobError `provider_malformed` for what cannot be read, and what the reading throws.
 */
export function createFeed(reading: ChatReading): Feed {
  let head = ''
  let feed: Feed | undefined
  return {
    push(text) {
      if (feed) return feed.push(text)
      head += text
      const first = head.trimStart().charAt(0)
      if (first === '') {
        if (head.length > maxHeldBytes) throw malformed('nothing but blanks')
        return false
      }
      if (first === '<') throw malformed('a page instead of an answer')
      feed = first === '{' || first === '[' ? wholeFeed(reading) : eventFeed(reading)
      const beginning = head
      head = ''
      return feed.push(beginning)
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
      return false
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

  function take(found: Iterable<WireEvent>): boolean {
    for (const { name, data } of found) {
      if (data.trim() === '[DONE]') return true
      const value = parsed(data)
      if (value !== undefined) reading.take(value, name)
      else if (data.split('\n').some((line) => takeLine(line.trim(), name))) return true
    }
    return reading.isOver()
  }

  /** Lines of one event are one value, unless its server ends events with a single line feed. */
  function takeLine(line: string, name: string): boolean {
    if (line === '[DONE]') return true
    const value = parsed(line)
    if (value !== undefined) reading.take(value, name)
    else if (line.startsWith('{') || line.startsWith('[')) throw malformed('an event that is no JSON')
    else if (name === 'error') throw malformed('an error without words')
    return false
  }

  return {
    push: (text) => take(events.push(text)),
    end: () => void take(events.end())
  }
}
