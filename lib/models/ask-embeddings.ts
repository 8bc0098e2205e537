import type OpenAI from 'openai'
import { boundedBody } from './bounded-body.ts'
import { type EmbeddingsReply, toReply } from './embeddings-reply.ts'
import type { Without } from './refused-parameters.ts'

/** What a vector may take on the wire, with everything around it: 1,536 numbers as long as they are ever written. */
const vectorBytes = 48 * 1024

/** The body of a request; base64 is asked for because it is a third of the size, and is left out where it is refused. */
export function embeddingsRequest(model: string, input: string[], without: Without) {
  return { model, input, ...(without.has('encoding_format') ? {} : { encoding_format: 'base64' as const }) }
}

/**
 * One request for vectors. The answer is read up to the size that vectors of so many texts can have.
 * @returns what came with status 200
 * @throws APIError for any other status, or an error inside; what the connection or the signal threw
 */
export async function askEmbeddings(
  openai: OpenAI,
  body: ReturnType<typeof embeddingsRequest>,
  { signal, id }: { signal: AbortSignal; id: string }
): Promise<EmbeddingsReply> {
  const response = await openai
    .post('/embeddings', { body, signal, headers: { 'x-client-request-id': id } })
    .asResponse()
  return toReply(await boundedBody(response, (body.input.length + 1) * vectorBytes), response.headers)
}
