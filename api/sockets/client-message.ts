import { z } from 'zod'
import { houseMessage } from '../../lib/schemas/messages.ts'
import { createJsonBounds } from '../intake/json-bounds.ts'

const messageId = z.union([z.int(), z.string().max(100)])
const channel = z.string().min(1).max(100)

const clientMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('subscribe'),
    id: messageId.optional(),
    channel,
    after: z.int().min(0).optional(),
    afterSeq: z.int().min(0).optional()
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id: messageId.optional(), channel })
])
export type ClientMessage = z.infer<typeof clientMessageSchema>
export type MessageId = z.infer<typeof messageId>

export type ParsedMessage =
  | { ok: true; message: ClientMessage }
  | { ok: false; id: MessageId | undefined; code: 'invalid_json' | 'invalid'; problem: string }

/** Elements and members of one message; those that are right have five. */
const mostValues = 100
/** Of an error's message, which may quote what a client sent. */
const maxProblemLength = 1_000

/** Reads what a client sent. The id is found also in a message that is wrong otherwise, so that its error names it. */
export function parseClientMessage(text: string): ParsedMessage {
  // A message of 64 KiB may be nothing but brackets, which a parser spends far longer on than their bytes are worth.
  const beyond = createJsonBounds({ mostValues })(Buffer.from(text))
  if (beyond) return { ok: false, id: undefined, code: 'invalid', problem: `a message ${beyond}` }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { ok: false, id: undefined, code: 'invalid_json', problem: 'a message is one JSON object' }
  }
  const parsed = clientMessageSchema.safeParse(value, { error: houseMessage })
  if (parsed.success) return { ok: true, message: parsed.data }
  const id = messageId.safeParse((value as { id?: unknown } | null)?.id)
  const problem = parsed.error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ')
  return { ok: false, id: id.data, code: 'invalid', problem: problem.slice(0, maxProblemLength) }
}
