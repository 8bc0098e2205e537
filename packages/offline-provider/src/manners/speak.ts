import { DONE } from '../chat-wire.ts'
import type { Json } from '../check.ts'
import type { Work } from '../work.ts'
import type { Manner, Said } from './manner.ts'

/** A body of JSON as this manner has it. */
export function spoken(text: string, change: ((answer: Json, work: Work) => Said) | undefined, work: Work): string {
  return change ? textOf(change(JSON.parse(text) as Json, work)) : text
}

/** A stream as this manner has it. */
export async function* spokenStream(
  events: AsyncGenerator<string>,
  { stream }: Manner,
  work: Work
): AsyncGenerator<string> {
  if (!stream) return yield* events
  for await (const said of stream(chunksOf(events), work)) {
    yield typeof said === 'string' ? said : `data: ${JSON.stringify(said)}\n\n`
  }
}

async function* chunksOf(events: AsyncIterable<string>): AsyncGenerator<Json> {
  for await (const event of events) if (event !== DONE) yield JSON.parse(event.slice('data: '.length)) as Json
}

const textOf = (said: Said): string => (typeof said === 'string' ? said : JSON.stringify(said))
