import { z } from 'zod'
import { JobError } from '../../lib/errors/job-error.ts'
import type { ChatCall, ChatMessage, Models } from '../../lib/models/client.ts'

/** The part of a model's answer that is shown to it when the answer did not fit. */
const shownChars = 8_000

type Ask<T> = Pick<ChatCall, 'step' | 'messages' | 'signal' | 'maxOutputTokens'> & {
  /** name of the schema, for the provider */
  name: string
  schema: z.ZodType<T>
}

/**
 * Asks for JSON of a shape and parses it. An answer of another shape is sent back once, with what is wrong with it.
 * @throws JobError `refused` or `invalid_output`, neither worth another attempt
 */
export async function structuredAnswer<T>(chat: Models['chat'], { name, schema, ...ask }: Ask<T>): Promise<T> {
  const responseFormat = { name, schema: strictJsonSchema(schema) }
  const first = await chat({ ...ask, responseFormat })
  const read = readAnswer(schema, first)
  if (read.ok) return read.value
  const repair: ChatMessage[] = [
    ...ask.messages,
    { role: 'assistant', content: first.content.slice(0, shownChars) || '(nothing)' },
    {
      role: 'user',
      content: `That answer cannot be used: ${read.problem}\nAnswer again with JSON of the given schema and nothing else.`
    }
  ]
  const second = readAnswer(
    schema,
    await chat({ ...ask, step: `${ask.step}:repair`, messages: repair, responseFormat })
  )
  if (second.ok) return second.value
  throw new JobError('invalid_output', 'the model did not answer in the form that was asked for', { retryable: false })
}

type Reply = { content: string; finishReason: string; refusal: string | null }
type Read<T> = { ok: true; value: T } | { ok: false; problem: string }

function readAnswer<T>(schema: z.ZodType<T>, { content, finishReason, refusal }: Reply): Read<T> {
  if (refusal !== null || finishReason === 'content_filter') {
    throw new JobError('refused', 'the model declined to answer', { retryable: false })
  }
  if (finishReason === 'length') return { ok: false, problem: 'it was too long and was cut off; be brief.' }
  let value: unknown
  try {
    value = JSON.parse(withoutFence(content))
  } catch {
    return { ok: false, problem: 'it is not valid JSON.' }
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return { ok: true, value: parsed.data }
  const problems = parsed.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.join('.') || 'answer'}: ${message}`)
  return { ok: false, problem: `${problems.join('; ')}.` }
}

/** Servers that know no JSON mode wrap their answer in a code block. */
function withoutFence(content: string): string {
  const block = content.trim()
  const opening = /^```(?:json)?[^\S\n]*\n/.exec(block)?.[0]
  return opening && block.length >= opening.length + 3 && block.endsWith('```')
    ? block.slice(opening.length, -3)
    : content
}

/**
 * The schema as strict structured output takes it: closed objects with every property required, and none of the
 * bounds that some servers refuse; these are checked here, when the answer has come.
 */
export function strictJsonSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _dialect, ...plain } = z.toJSONSchema(schema, {
    override: ({ jsonSchema }) => {
      for (const bound of [
        'minimum',
        'maximum',
        'minLength',
        'maxLength',
        'pattern',
        'format',
        'maxItems',
        'minItems'
      ]) {
        delete (jsonSchema as Record<string, unknown>)[bound]
      }
      // What we may fill in ourselves, a model has to say all the same.
      delete (jsonSchema as Record<string, unknown>).default
    }
  }) as Record<string, unknown>
  return plain
}
