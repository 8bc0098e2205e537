import type { LoggedEvent } from '../../lib/events/feed.ts'

/** The members `position` and `event` of a push as JSON, without the braces around them. */
export type EventText = (logged: LoggedEvent) => string

/** Renders each event once, however many connections it goes to. */
export function createEventText(): EventText {
  const texts = new WeakMap<LoggedEvent, string>()
  return (logged) => {
    let text = texts.get(logged)
    if (text === undefined) {
      text = `"position":${logged.position},"event":${JSON.stringify(logged.event)}`
      texts.set(logged, text)
    }
    return text
  }
}
