import { z } from 'zod'

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

/** Reads what a client sent. The id is found also in a message that is wrong otherwise, so that its error names it. */
export function parseClientMessage(text: string): ParsedMessage {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { ok: false, id: undefined, code: 'invalid_json', problem: 'a message is one JSON object' }
  }
  const parsed = clientMessageSchema.safeParse(value)
  if (parsed.success) return { ok: true, message: parsed.data }
  const id = messageId.safeParse((value as { id?: unknown } | null)?.id)
  const problem = parsed.error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ')
  return { ok: false, id: id.data, code: 'invalid', problem }
}
