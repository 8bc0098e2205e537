import type { Draft } from '../chat-types.ts'
import type { Json } from '../check.ts'
import type { WireReply } from '../transport.ts'
import type { Work } from '../work.ts'

/** What a manner puts on the wire: an object goes out as JSON, in a stream as one event; text goes out as it is. */
export type Said = Json | string

/** A way in which servers differ from the API that they are compatible with. Each part is optional; what is absent is as usual. */
export type Manner = {
  /** What such a server does, in a few words. */
  about: string
  /** Whether the answer says in full what it took, so that its line on the invoice can be booked to the digit. */
  tells: boolean
  /**
   * The request as this server reads it, before anything else is looked at.
   * @throws {Refusal} for what it does not take
   */
  request?: (body: Json) => Json
  /** What the model says, instead of what it would have said. */
  draft?: (draft: Draft) => Draft
  /** The answer to a chat request that does not stream. */
  whole?: (answer: Json, work: Work) => Said
  /** The stream of a chat request: its chunks come in, without the `[DONE]` behind them; what is to be sent goes out. */
  stream?: (chunks: AsyncIterable<Json>, work: Work) => AsyncIterable<Said>
  /** The answer to an embeddings request. */
  embeddings?: (answer: Json, work: Work) => Said
  /** Status, headers and body as they go out. */
  reply?: (reply: WireReply, work: Work) => WireReply
}

/** Keeps the names of a record's manners, and checks each. */
export const defineManners = <Name extends string>(manners: Record<Name, Manner>): Record<Name, Manner> => manners
