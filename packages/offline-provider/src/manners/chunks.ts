import { DONE } from '../chat-wire.ts'
import { isObject, type Json } from '../check.ts'
import type { Manner, Said } from './manner.ts'

/** A stream whose chunks are changed one by one; `undefined` leaves one out. `[DONE]` follows as usual. */
export const eachChunk = (change: (chunk: Json) => Said | Said[] | undefined): NonNullable<Manner['stream']> =>
  async function* changed(chunks) {
    for await (const chunk of chunks) {
      const said = change(chunk)
      if (said !== undefined) yield* Array.isArray(said) ? said : [said]
    }
    yield DONE
  }

/** The first choice of a chunk or of a whole answer. */
export function choiceOf({ choices }: Json): Json | undefined {
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined
  return isObject(first) ? first : undefined
}

/** An answer or chunk with another first choice. */
export function withChoice(answer: Json, change: (choice: Json) => Json): Json {
  const first = choiceOf(answer)
  return first ? { ...answer, choices: [change(first), ...(answer['choices'] as unknown[]).slice(1)] } : answer
}

/** An answer or chunk whose message, or delta, is another. */
export function withMessage(answer: Json, change: (message: Json) => unknown): Json {
  return withChoice(answer, (first) => {
    const name = 'delta' in first ? 'delta' : 'message'
    const message = first[name]
    return isObject(message) ? { ...first, [name]: change(message) } : first
  })
}

/** The same change of every message and every delta. */
export const everyMessage = (change: (message: Json) => unknown): Pick<Manner, 'whole' | 'stream'> => ({
  whole: (answer) => withMessage(answer, change),
  stream: eachChunk((chunk) => withMessage(chunk, change))
})
