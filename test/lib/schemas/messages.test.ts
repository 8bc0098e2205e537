import test from 'ava'
import { z } from 'zod'
import { loadConfig, unknownVariables } from '../../../lib/config.ts'
import { fieldErrors } from '../../../lib/schemas/field-errors.ts'
import { houseMessage } from '../../../lib/schemas/messages.ts'
import { limitSchema } from '../../../lib/schemas/page.ts'
import { webhookCreateSchema } from '../../../lib/schemas/webhook.ts'

const messagesOf = (schema: z.ZodType, value: unknown) => {
  const { error } = schema.safeParse(value, { error: houseMessage, reportInput: false })
  return error ? fieldErrors(error).map(({ path, message }) => (path ? `${path} ${message}` : message)) : []
}

const rules: [schema: z.ZodType, value: unknown, message: string][] = [
  [z.string().min(1), '', 'must not be empty'],
  [z.string().min(10), 'x', 'must have at least 10 characters'],
  [z.string().max(1), 'xx', 'must have at most 1 character'],
  [z.array(z.string()).max(2), ['', '', ''], 'must have at most 2 items'],
  [z.array(z.string()).min(1), [], 'must not be empty'],
  [z.number().min(0), -1, 'must be at least 0'],
  [z.number().positive(), 0, 'must be more than 0'],
  [z.number().max(5), 6, 'must be at most 5'],
  [z.int(), 1.5, 'must be a whole number'],
  [z.string(), 5, 'must be a string'],
  [z.boolean(), 'yes', 'must be true or false'],
  [z.strictObject({}), [], 'must be an object'],
  [z.enum(['a', 'b']), 'c', 'must be one of: a, b'],
  [z.literal('a'), 'c', 'must be a'],
  [z.email(), 'x', 'must be an e-mail address'],
  [z.iso.datetime(), 'x', 'must be a time like 2026-01-31T12:00:00Z'],
  [z.object({ name: z.string() }), {}, 'name is required'],
  [limitSchema, '101', 'must be a whole number from 1 to 100'],
  [limitSchema, 'x', 'must be a whole number from 1 to 100'],
  [limitSchema, '0', 'must be a whole number from 1 to 100']
]

test('a refused field is told the rule in the words of the house', (t) => {
  for (const [schema, value, message] of rules) t.deepEqual(messagesOf(schema, value), [message])
})

test('a webhook for events that there are not is refused, with the type that was meant', (t) => {
  const events = (...patterns: string[]) =>
    messagesOf(webhookCreateSchema, { url: 'https://example.org/', events: patterns })
  const fine = ['*', 'goal.*', 'job.*', 'job.completed.*', 'job.failed.rag_search', 'client.*', 'client.mine.done']
  t.deepEqual(events(...fine, 'document.embedded', 'rate_limit.blocked'), [])
  t.deepEqual(events('foo.bar'), ['events.0 there is no event of this type; docs/events.md has them all'])
  t.deepEqual(events('*', 'goal.creatd'), ['events.1 there is no event of this type; did you mean "goal.created"?'])
  t.deepEqual(events('goals.*').length, 1)
})

test('names in .env that nothing reads are warned of, with the name that was meant', (t) => {
  t.deepEqual(unknownVariables(['PORT', 'API_KEY', 'OTEL_SERVICE_NAME', 'NODE_ENV']), [])
  t.deepEqual(unknownVariables(['EMBEDING_MODEL', 'SOMETHING_ELSE']), [
    'EMBEDING_MODEL is not a variable of the platform: did you mean EMBEDDING_MODEL?',
    'SOMETHING_ELSE is not a variable of the platform'
  ])
})

test('WEBHOOK_ALLOW takes hosts, with or without a port, and nothing else', (t) => {
  const hosts = 'receiver, a.b-c.internal,10.0.0.7,::1,localhost,hooks.internal:8080,127.0.0.1:9000,[::1]:9000'
  t.is(loadConfig({ WEBHOOK_ALLOW: hosts }).webhookAllow.length, 8)
  for (const wrong of ['http://x', 'x:80:90', 'x:70000', 'x:', 'x/path', '*.x', 'a b']) {
    const message = `"${wrong}" is not a host like receiver.internal or 10.0.0.7:9000, without scheme and path`
    t.throws(() => loadConfig({ WEBHOOK_ALLOW: wrong }), { message: new RegExp(message.replace(/[*.?/]/g, '\\$&')) })
  }
})
