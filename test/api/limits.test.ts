import test from 'ava'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../../api/endpoint.ts'
import { AppError } from '../../lib/errors/app-error.ts'
import { createGateKeys } from '../../lib/gate/keys.ts'
import type { BucketName } from '../../lib/gate/limits.ts'
import { startApi } from '../helpers/api.ts'
import { placeForFile } from '../helpers/auth.ts'
import { waitingDecisions } from '../helpers/gate.ts'

const place = placeForFile(test)

/** A submission that may be answered from an earlier one, and a read. */
function endpoints(): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/chat',
      summary: 'Submit',
      tag: 'Test',
      access: 'user',
      limit: 'chat_completion',
      body: z.strictObject({ message: z.string() }),
      responses: { 202: { description: 'Accepted' } },
      handler: async ({ req, takeToken }) =>
        req.get('idempotency-key') === 'known'
          ? { status: 200, body: { replayed: true } }
          : { status: 202, body: { decision: (await takeToken()).id } }
    }),
    endpoint({
      method: 'post',
      path: '/refused',
      summary: 'Refused after its token was taken',
      tag: 'Test',
      access: 'user',
      limit: 'chat_completion',
      body: z.strictObject({}),
      responses: {},
      async handler({ takeToken }) {
        await takeToken()
        throw new AppError('budget_exceeded', 'The budget is used up', {
          headers: { 'Retry-After': '60' },
          members: { 'violated-policies': ['budget'] }
        })
      }
    }),
    endpoint({
      method: 'post',
      path: '/refused-retry',
      summary: 'Refused by a budget without a token of an action',
      tag: 'Test',
      access: 'user',
      body: z.strictObject({}),
      responses: {},
      async handler() {
        throw new AppError('budget_exceeded', 'The budget is used up', { members: { 'violated-policies': ['budget'] } })
      }
    }),
    endpoint({
      method: 'get',
      path: '/things',
      summary: 'Read',
      tag: 'Test',
      access: 'user',
      responses: { 200: { description: 'Things' } },
      handler: async () => ({ status: 200, body: [] })
    })
  ]
}

/** The contract's limits, but so slow to refill that a test may take its time. */
const slow = (name: BucketName, capacity: number) => ({
  [name]: { limitPerMinute: 1, burst: capacity }
})

async function start(t: Parameters<typeof startApi>[0], limits: Parameters<typeof startApi>[1] = {}) {
  const api = await startApi(t, { endpoints: endpoints(), place: place(), ...limits })
  const { token, id } = await api.enter()
  return {
    ...api,
    token,
    id,
    chat: (body: unknown, headers = {}) => api.send('POST', '/api/v1/chat', { token, body, headers })
  }
}

const left = (headers: Headers, name: string) =>
  Number(new RegExp(`"${name}";r=(\\d+)`).exec(headers.get('ratelimit') ?? '')?.[1] ?? Number.NaN)

test('a submission takes one token of its action and one api_call, and says so in every field', async (t) => {
  const { chat } = await start(t, { limits: { ...slow('chat_completion', 10), ...slow('api_call', 15) } })
  const { status, headers } = await chat({ message: 'hello' })
  t.is(status, 202)
  t.is(headers.get('ratelimit-policy'), '"chat_completion";q=10;w=600, "api_call";q=15;w=900')
  t.regex(headers.get('ratelimit') ?? '', /^"chat_completion";r=9;t=(60|59), "api_call";r=14;t=(60|59)$/)
  t.is(headers.get('x-ratelimit-limit'), '10')
  t.is(headers.get('x-ratelimit-remaining'), '9')
  t.regex(headers.get('x-ratelimit-reset') ?? '', /^(60|[45]\d)$/)
  t.is(headers.get('retry-after'), null)
})

test('an invalid body costs only the api_call, and a replay as well', async (t) => {
  const { chat, send, token } = await start(t, { limits: { ...slow('chat_completion', 10), ...slow('api_call', 15) } })
  const wrong = await chat({ message: 1 })
  t.is(wrong.status, 422)
  t.is(left(wrong.headers, 'chat_completion'), 10)
  t.is(left(wrong.headers, 'api_call'), 14)
  t.is((await chat('{')).status, 400)
  t.is(
    (await send('POST', '/api/v1/chat', { token, body: 'x', headers: { 'content-type': 'text/plain' } })).status,
    415
  )
  const replay = await chat({ message: 'again' }, { 'idempotency-key': 'known' })
  t.deepEqual(replay.body, { replayed: true })
  t.is(left(replay.headers, 'chat_completion'), 10)
  t.is(left(replay.headers, 'api_call'), 11)
})

test('a refused action is a 429 that costs no api_call', async (t) => {
  const { chat } = await start(t, { limits: { ...slow('chat_completion', 1), ...slow('api_call', 15) } })
  t.is((await chat({ message: 'one' })).status, 202)
  const refused = await chat({ message: 'two' })
  t.is(refused.status, 429)
  t.is(refused.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  t.like(refused.body, {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    status: 429,
    code: 'rate_limited',
    'violated-policies': ['chat_completion']
  })
  t.regex(refused.headers.get('retry-after') ?? '', /^(60|[45]\d)$/)
  t.is(left(refused.headers, 'api_call'), 14)
  t.is(refused.headers.get('x-ratelimit-remaining'), '0')
})

test('AI actions of one address are limited over all its accounts, and the address alone is named', async (t) => {
  const { send, enter } = await start(t, { limits: slow('address_ai', 3) })
  const [one, other] = [await enter('one'), await enter('other')]
  const chat = (token: string, body: unknown = { message: 'hello' }, headers = {}) =>
    send('POST', '/api/v1/chat', { token, body, headers })
  for (let i = 0; i < 4; i++) t.is((await chat(one.token, { massage: 'typo' })).status, 422)
  for (const { token } of [one, one, other]) t.is((await chat(token)).status, 202)

  const refused = await chat(other.token)
  t.is(refused.status, 429)
  t.is(refused.body.type, 'https://iana.org/assignments/http-problem-types#quota-exceeded')
  t.deepEqual(refused.body['violated-policies'], ['address_ai'])
  t.regex(refused.headers.get('retry-after') ?? '', /^(60|[45]\d)$/)
  t.regex(refused.headers.get('ratelimit-policy') ?? '', /^"address_ai";q=3;w=180, "chat_completion";q=10;w=60, /)
  t.is(left(refused.headers, 'chat_completion'), 9)
  t.is(refused.headers.get('x-ratelimit-limit'), '3')

  t.is((await chat(other.token, undefined, { 'idempotency-key': 'known' })).status, 200) // a repetition
  t.is((await send('GET', '/api/v1/things', { token: other.token })).status, 200)
})

test('a user out of api_call gets 429 on every route, wherever the body would be wrong', async (t) => {
  const { send, token, chat } = await start(t, { limits: slow('api_call', 2) })
  await send('GET', '/api/v1/things', { token })
  await send('GET', '/api/v1/nothing', { token })
  for (const answer of [
    await send('GET', '/api/v1/things', { token }),
    await chat('{'),
    await send('GET', '/api/v1/x', { token })
  ]) {
    t.is(answer.status, 429)
    t.deepEqual(answer.body['violated-policies'], ['api_call'])
    t.truthy(answer.headers.get('retry-after'))
    t.truthy(answer.headers.get('ratelimit'))
  }
})

test('requests without a valid token are limited by address', async (t) => {
  const { send } = await start(t, { limits: slow('address', 3) })
  t.is((await send('GET', '/api/v1/things')).status, 401)
  t.is((await send('GET', '/api/v1/things', { token: 'forged' })).status, 401)
  t.is((await send('GET', '/api/v1/unknown')).status, 404)
  const refused = await send('GET', '/api/v1/things')
  t.is(refused.status, 429)
  t.deepEqual(refused.body['violated-policies'], ['address'])
})

test('a forwarded address counts only behind a proxy that was named', async (t) => {
  const limits = slow('address', 1)
  const direct = await start(t, { limits })
  const from = (n: number) => ({ headers: { 'x-forwarded-for': `203.0.113.${n}` } })
  t.is((await direct.send('GET', '/api/v1/things', from(1))).status, 401)
  t.is((await direct.send('GET', '/api/v1/things', from(2))).status, 429)
  const behind = await start(t, { limits, env: { TRUST_PROXY: '1' } })
  t.is((await behind.send('GET', '/api/v1/things', from(1))).status, 401)
  t.is((await behind.send('GET', '/api/v1/things', from(2))).status, 401)
  t.is((await behind.send('GET', '/api/v1/things', from(1))).status, 429)
})

test('register and token are limited by address in a bucket of their own', async (t) => {
  const { send } = await start(t, { limits: slow('auth', 2) })
  const tryOut = () => send('POST', '/api/v1/auth/register', { body: {} })
  const first = await tryOut()
  t.is(first.status, 422)
  t.is(left(first.headers, 'auth'), 1)
  t.is((await send('POST', '/api/v1/auth/token', { body: '{' })).status, 400)
  t.deepEqual((await tryOut()).body['violated-policies'], ['auth'])
})

test('failed logins are limited by address and e-mail together, right ones cost nothing', async (t) => {
  const { send, enter } = await start(t, { limits: slow('login_failed', 2) })
  const { email, password } = await enter()
  const login = (pair: object) => send('POST', '/api/v1/auth/token', { body: { email, password, ...pair } })
  for (let i = 0; i < 4; i++) t.is((await login({})).status, 200)
  const wrong = await login({ password: 'wrong' })
  t.is(wrong.status, 401)
  t.is(left(wrong.headers, 'login_failed'), 1)
  t.is((await login({ password: 'wrong', email: email.toUpperCase() })).status, 401)
  const refused = await login({})
  t.is(refused.status, 429)
  t.deepEqual(refused.body['violated-policies'], ['login_failed'])
  t.truthy(refused.headers.get('retry-after'))
  t.is((await login({ email: 'somebody@else.org' })).status, 401)
})

test('many wrong logins at once get no further than one after another', async (t) => {
  const { send, enter } = await start(t, { limits: slow('login_failed', 3) })
  const { email } = await enter()
  const tries = Array.from({ length: 12 }, () =>
    send('POST', '/api/v1/auth/token', { body: { email, password: 'wrong' } })
  )
  const statuses = (await Promise.all(tries)).map(({ status }) => status)
  t.is(statuses.filter((status) => status === 401).length, 3)
  t.is(statuses.filter((status) => status === 429).length, 9)
})

test('a stolen token does not let the current password be guessed without end', async (t) => {
  const { send, enter } = await start(t, { limits: slow('login_failed', 2) })
  const { id, token } = await enter()
  const guess = () =>
    send('POST', '/api/v1/auth/password', { token, body: { current: 'guess', next: 'another password' } })
  const other = () =>
    send('PATCH', `/api/v1/users/${id}`, { token, body: { password: 'another password', currentPassword: 'guess' } })
  t.is((await guess()).status, 422)
  t.is((await other()).status, 422)
  t.is((await guess()).status, 429)
  t.is((await other()).status, 429)
})

test('every decision is written down once, with route, address and what it was counted as', async (t) => {
  const { chat, send, token, id, gate, place: own, redis } = await start(t, { limits: slow('chat_completion', 1) })
  await chat({ message: 'one' })
  await chat({ message: 'two' })
  await chat({ message: 3 })
  await send('GET', '/api/v1/things?secret=x', { token, headers: { 'user-agent': 'ava' } })
  await send('GET', '/api/v1/things')
  await send('GET', '/api/v1/no/such/route?secret=x', { token })
  await gate.close()
  const decisions = (await waitingDecisions(redis, own.prefix)).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const facts = decisions.map(({ userId, action, outcome, method, path }) => [userId, action, outcome, method, path])
  t.deepEqual(
    facts.filter(([, , , , path]) => path !== '/api/v1/auth/register'),
    [
      [id, 'chat_completion', 'allowed', 'POST', '/api/v1/chat'],
      [id, 'chat_completion', 'blocked', 'POST', '/api/v1/chat'],
      [id, 'api_call', 'allowed', 'POST', '/api/v1/chat'],
      [id, 'api_call', 'allowed', 'GET', '/api/v1/things'],
      [null, 'api_call', 'allowed', 'GET', '/api/v1/things'],
      [id, 'api_call', 'allowed', 'GET', '/api/v1/no/such/route']
    ]
  )
  t.is(decisions.find(({ userAgent }) => userAgent === 'ava')?.ip, '127.0.0.1')
  t.is(new Set(decisions.map(({ id: decisionId }) => decisionId)).size, decisions.length)
  const keys = createGateKeys(own.prefix)
  for (const shard of keys.shards) t.is(await redis.xlen(keys.admitted(shard)), 0, 'nothing is left open')
})

test('the decision that travels with a submission is the one in its audit', async (t) => {
  const { chat, gate, place: own, redis } = await start(t)
  const { body } = await chat({ message: 'one' })
  await gate.close()
  const decision = (await waitingDecisions(redis, own.prefix)).find(({ id }) => id === body.decision)
  t.like(decision, { action: 'chat_completion', outcome: 'allowed' })
})

test('what a budget refuses is one decision that says so, and so is a guess too many at the own password', async (t) => {
  const { send, token, id, redis, place: own } = await start(t, { limits: slow('login_failed', 1) })
  t.is((await send('POST', '/api/v1/refused', { token, body: {} })).status, 429)
  t.is((await send('POST', '/api/v1/refused-retry', { token, body: {} })).status, 429)
  const change = { current: 'not the password', next: 'another password' }
  const guess = () => send('POST', '/api/v1/auth/password', { token, body: change })
  t.is((await guess()).status, 422)
  t.is((await guess()).status, 429)
  const written = (await waitingDecisions(redis, own.prefix)).filter(({ userId }) => userId === id)
  t.deepEqual(
    written
      .toSorted((a, b) => a.at - b.at)
      .map(({ action, outcome, limits }) => [
        action,
        outcome,
        ...limits.flatMap((one) => (one.refused ? [one.name] : []))
      ]),
    [
      ['chat_completion', 'blocked', 'budget'],
      ['api_call', 'blocked', 'budget'],
      ['api_call', 'allowed'],
      ['api_call', 'blocked', 'login_failed']
    ]
  )
})

test('a handler\u2019s own refusal keeps its Retry-After beside the limits', async (t) => {
  const { send, token } = await start(t)
  const answer = await send('POST', '/api/v1/refused', { token, body: {} })
  t.is(answer.status, 429)
  t.is(answer.headers.get('retry-after'), '60')
  t.truthy(answer.headers.get('ratelimit'))
})
