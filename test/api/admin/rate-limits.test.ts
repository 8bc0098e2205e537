import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { dayMs } from '../../../lib/time/time-ranges.ts'
import { adminApiForFile } from '../../helpers/admin-api.ts'
import { auditRow, insertAudits } from '../../helpers/audits.ts'
import { eventually } from '../../helpers/context.ts'
import type { Call } from '../../helpers/platform.ts'

const { api, another } = adminApiForFile(test)
const base = '/admin/rate-limits'

type Body = ReturnType<typeof JSON.parse>
const call = async (send: Call, method: string, path: string, body?: unknown) =>
  (await send<Body>(method, path, body)) as { status: number; body: Body; headers: Headers }

const routes: [method: string, path: (userId: string) => string, body?: unknown][] = [
  ['GET', () => `${base}/config`],
  ['GET', (id) => `${base}/users/${id}/status`],
  ['POST', (id) => `${base}/users/${id}/reset`, {}],
  ['PUT', (id) => `${base}/users/${id}/limits`, { action: 'api_call', limitPerMinute: 100, burst: 1 }],
  ['DELETE', (id) => `${base}/users/${id}/limits/api_call`],
  ['GET', () => `${base}/audits`],
  ['GET', () => `${base}/statistics`],
  ['GET', () => `${base}/top-consumers`],
  ['GET', () => `${base}/suspicious`],
  ['GET', () => '/admin/budgets/default'],
  ['PUT', () => '/admin/budgets/default', { dailyUsd: null, monthlyUsd: null }],
  ['GET', (id) => `/admin/budgets/users/${id}`],
  ['PUT', (id) => `/admin/budgets/users/${id}`, { dailyUsd: null, monthlyUsd: null }],
  ['DELETE', (id) => `/admin/budgets/users/${id}`],
  ['GET', () => '/admin/prices'],
  ['POST', () => '/admin/prices', {}],
  ['GET', (id) => `/admin/prices/${id}`],
  ['POST', (id) => `/admin/jobs/${id}/retry`],
  ['POST', () => '/admin/jobs/retry']
]

test('every route is for administrators: a stranger gets 401, a user 403', async (t) => {
  const user = await api().newClient()
  for (const [method, path, body] of routes) {
    t.is((await api().stranger(method, path(user.id), body)).status, 401, `${method} ${path(user.id)}`)
    const { status, body: problem } = await call(user.send, method, path(user.id), body)
    t.is(status, 403, `${method} ${path(user.id)}`)
    t.is(problem.code, 'forbidden')
  }
})

test('a user who does not exist is not found, whatever is asked of them', async (t) => {
  const admin = await api().newClient('admin')
  for (const [method, path, body] of routes) {
    if (path('x') === path('y')) continue
    for (const id of [newId(), 'nobody']) t.is((await admin.send(method, path(id), body)).status, 404, path(id))
  }
})

test('the configuration shows the limits of everyone', async (t) => {
  const admin = await api().newClient('admin')
  const { status, body } = await call(admin.send, 'GET', `${base}/config`)
  t.is(status, 200)
  t.deepEqual(body, {
    actions: [
      { action: 'api_call', limitPerMinute: 100, burst: 1.5, capacity: 150 },
      { action: 'embedding_generation', limitPerMinute: 20, burst: 1.2, capacity: 24 },
      { action: 'chat_completion', limitPerMinute: 10, burst: 1, capacity: 10 },
      { action: 'code_validation', limitPerMinute: 30, burst: 1.3, capacity: 39 },
      { action: 'rag_search', limitPerMinute: 50, burst: 1.5, capacity: 75 },
      { action: 'bulk_create', limitPerMinute: 5, burst: 1, capacity: 5 }
    ]
  })
})

test('the status shows what is left without taking anything, and a reset fills up', async (t) => {
  const { gate, newClient } = api()
  const [admin, user] = [await newClient('admin'), await newClient()]
  const request = { userId: user.id, action: 'bulk_create', method: 'POST', path: '/x', ip: '', userAgent: '' } as const
  const subject = { kind: 'user', id: user.id } as const
  await gate.take({ subject, buckets: ['bulk_create', 'api_call'], cost: 5, request })
  const status = async (action: string) => {
    const { body } = await call(admin.send, 'GET', `${base}/users/${user.id}/status`)
    t.is(body.userId, user.id)
    return body.limits.find((limit: Body) => limit.action === action)
  }
  t.like(await status('bulk_create'), { limitPerMinute: 5, burst: 1, capacity: 5, remaining: 0 })
  const { retryAfterMs } = await status('bulk_create')
  t.true(retryAfterMs > 0 && retryAfterMs <= 12_000)
  t.like(await status('chat_completion'), { remaining: 10, retryAfterMs: 0 })

  const one = await call(admin.send, 'POST', `${base}/users/${user.id}/reset`, { action: 'bulk_create' })
  t.deepEqual([one.status, one.body], [200, { userId: user.id, reset: ['bulk_create'] }])
  t.like(await status('bulk_create'), { remaining: 5, retryAfterMs: 0 })

  const all = await call(admin.send, 'POST', `${base}/users/${user.id}/reset`)
  t.deepEqual(all.body.reset, [
    'api_call',
    'embedding_generation',
    'chat_completion',
    'code_validation',
    'rag_search',
    'bulk_create'
  ])
  t.is((await status('api_call')).remaining, 150)
})

test.serial('limits of one user hold at once in every process, and still do after Redis was emptied', async (t) => {
  const { newClient, context } = api()
  const other = await another()
  const [admin, user] = [await newClient('admin'), await newClient()]
  const put = await call(admin.send, 'PUT', `${base}/users/${user.id}/limits`, {
    action: 'api_call',
    limitPerMinute: 1,
    burst: 2
  })
  t.deepEqual([put.status, put.body], [200, { action: 'api_call', limitPerMinute: 1, burst: 2, capacity: 2 }])

  const limitIn = async (url: string) => {
    const response = await fetch(`${url}/api/v1/users/me/usage`, { headers: { authorization: `Bearer ${user.token}` } })
    return { status: response.status, limit: response.headers.get('x-ratelimit-limit') }
  }
  t.deepEqual(await limitIn(api().url), { status: 200, limit: '2' })
  await eventually(async () => other.gate.limitsOf(user.id).api_call.limitPerMinute === 1)
  t.deepEqual(await limitIn(other.url), { status: 200, limit: '2' })
  t.deepEqual(await limitIn(other.url), { status: 429, limit: '2' })

  for await (const keys of context.redis.scanStream({ match: `*${context.prefix}*` }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await context.redis.unlink(keys)
  }
  t.deepEqual(await limitIn(api().url), { status: 200, limit: '2' })
  const third = await another()
  t.deepEqual(await limitIn(third.url), { status: 200, limit: '2' })
  t.is((await limitIn(third.url)).status, 429)

  // Too few requests are left to ask as the user; an administrator takes the limits away again.
  t.is((await admin.send('DELETE', `${base}/users/${user.id}/limits/api_call`)).status, 204)
  t.is((await admin.send('DELETE', `${base}/users/${user.id}/limits/api_call`)).status, 404)
  t.is((await admin.send('DELETE', `${base}/users/${user.id}/limits/nothing`)).status, 404)
  await eventually(async () => other.gate.limitsOf(user.id).api_call.limitPerMinute === 100)
  t.is(api().gate.limitsOf(user.id).api_call.limitPerMinute, 100)
})

test('wrong fields and parameters are named', async (t) => {
  const admin = await api().newClient('admin')
  const { id } = await api().newClient()
  const wrong: [method: string, path: string, body: unknown, paths: string[]][] = [
    [
      'PUT',
      `${base}/users/${id}/limits`,
      { action: 'sleep', limitPerMinute: 0, burst: 0.5 },
      ['action', 'limitPerMinute', 'burst']
    ],
    ['PUT', `${base}/users/${id}/limits`, { action: 'api_call', limitPerMinute: 1, burst: 1, more: 1 }, ['more']],
    ['POST', `${base}/users/${id}/reset`, { action: 'sleep' }, ['action']],
    [
      'GET',
      `${base}/audits?userId=me&outcome=maybe&limit=0&cursor=x&page=2`,
      undefined,
      ['userId', 'outcome', 'limit', 'cursor', 'page']
    ],
    ['GET', `${base}/audits?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z`, undefined, ['from']],
    ['GET', `${base}/statistics?bucket=week&from=yesterday`, undefined, ['bucket', 'from']],
    ['GET', `${base}/top-consumers?by=name&limit=1000`, undefined, ['by', 'limit']],
    ['GET', `${base}/suspicious?userId=${id}`, undefined, ['userId']]
  ]
  for (const [method, path, body, paths] of wrong) {
    const answer = await call(admin.send, method, path, body)
    t.is(answer.status, 422, path)
    t.deepEqual(answer.body.errors.map((error: Body) => error.path).toSorted(), paths.toSorted(), path)
  }
})

test('every request becomes one audit, found by each filter and page by page', async (t) => {
  const { newClient } = api()
  const [admin, user] = [await newClient('admin'), await newClient()]
  for (let n = 0; n < 7; n++) await user.send('GET', '/users/me/usage')
  await admin.send('PUT', `${base}/users/${user.id}/limits`, { action: 'api_call', limitPerMinute: 1, burst: 1 })
  for (let n = 0; n < 5; n++) await user.send('GET', '/users/me/usage')
  const list = async (query: string) => (await call(admin.send, 'GET', `${base}/audits?userId=${user.id}${query}`)).body
  const all = await eventually(async () => {
    const { data } = await list('')
    return data.length >= 12 && data
  })
  t.is(all.length, 12)
  t.like(all[11], {
    userId: user.id,
    action: 'api_call',
    outcome: 'allowed',
    method: 'GET',
    path: '/api/v1/users/me/usage',
    ip: '127.0.0.1',
    jobId: null,
    model: null,
    totalTokens: null,
    costUsd: null,
    latencyMs: null
  })
  const blocked = (await list('&outcome=blocked')).data
  t.true(blocked.length >= 4)
  t.true(blocked.every((audit: Body) => audit.outcome === 'blocked'))
  t.is((await list('&outcome=allowed&action=api_call')).data.length, 12 - blocked.length)
  t.deepEqual((await list('&action=chat_completion')).data, [])
  t.deepEqual((await list(`&to=${all[11].createdAt}`)).data, [])
  t.is((await list(`&from=${all[11].createdAt}`)).data.length, 12)

  const pages: Body[] = []
  let cursor = ''
  do {
    const { data, nextCursor } = await list(`&limit=5${cursor}`)
    pages.push(...data)
    // New ones come before what is shown already.
    if (cursor === '') await user.send('GET', '/users/me/usage')
    cursor = nextCursor === null ? '' : `&cursor=${nextCursor}`
  } while (cursor !== '')
  t.deepEqual(pages, all)
})

test('pages end at no moment that several audits share, to the microsecond', async (t) => {
  const { newClient, context } = api()
  const [admin, user] = [await newClient('admin'), await newClient()]
  await context.knex.raw(
    `insert into rate_limit_audits (id, user_id, action, outcome, created_at)
     select gen_random_uuid(), ?, (array['rag_search', 'api_call'])[1 + n % 2]::rate_limit_action, 'allowed',
            timestamptz '2026-01-01T00:00:00Z' + (n / 3) * interval '1 microsecond'
     from generate_series(1, 40) n`,
    [user.id]
  )
  for (const filter of ['', '&outcome=allowed', '&action=rag_search']) {
    const ids: string[] = []
    let cursor = ''
    do {
      const { body } = await call(admin.send, 'GET', `${base}/audits?userId=${user.id}&limit=3${filter}${cursor}`)
      ids.push(...body.data.map(({ id }: Body) => id))
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`
    } while (cursor !== '')
    const count = filter.includes('rag') ? 20 : 40
    t.is(new Set(ids).size, count)
    t.is(ids.length, count)
  }
})

test('statistics agree with a plain count, are of the last 24 hours unless told, and add up', async (t) => {
  const { newClient, context, admin: room } = api()
  const [admin, user] = [await newClient('admin'), await newClient()]
  const now = Date.now()
  await insertAudits(context.knex, [
    auditRow({ user_id: user.id, created_at: new Date(now - dayMs - 60_000) }),
    auditRow({ user_id: user.id, created_at: new Date(now - dayMs + 60_000), outcome: 'blocked' }),
    auditRow({
      user_id: user.id,
      action: 'chat_completion',
      tokens: 30,
      costUsd: 0.000123,
      created_at: new Date(now - 1_000)
    }),
    auditRow({ user_id: user.id, action: 'chat_completion', outcome: 'degraded', created_at: new Date(now - 3_000) })
  ])
  for (const rolledUp of [false, true]) {
    if (rolledUp) while (await room.rollUps.fold(1_000));
    const { status, body } = await call(admin.send, 'GET', `${base}/statistics?userId=${user.id}`)
    t.is(status, 200)
    t.is(Date.parse(body.to) - Date.parse(body.from), dayMs)
    t.deepEqual(body.totals, {
      requests: 3,
      allowed: 1,
      blocked: 1,
      degraded: 1,
      blockedRate: 1 / 3,
      promptTokens: 30,
      completionTokens: 0,
      totalTokens: 30,
      costUsd: '0.000123000000'
    })
    t.deepEqual(
      body.byAction.map(({ action, requests }: Body) => [action, requests]),
      [
        ['api_call', 1],
        ['chat_completion', 2]
      ]
    )
    t.like(body.byModel, [{ model: 'offline-chat-mini', calls: 1, totalTokens: 30, costUsd: '0.000123000000' }])
    t.is(
      body.timeline.reduce((sum: number, { requests }: Body) => sum + requests, 0),
      3
    )
    t.true(body.timeline.every(({ at }: Body) => at.endsWith(':00:00.000Z')))
    // Audits are written after their answers: those of the count are there when all are asked for, and more may be.
    const [counted] = await context.knex('rate_limit_audits').where('created_at', '<', body.to).count()
    const all = (await call(admin.send, 'GET', `${base}/statistics?bucket=day&from=${new Date(0).toISOString()}`)).body
    t.true(all.totals.requests >= Number(counted?.count))
    const day = (
      await call(admin.send, 'GET', `${base}/statistics?userId=${user.id}&bucket=day&from=2000-01-01T00:00:00Z`)
    ).body
    t.is(day.totals.requests, 4)
    t.true(day.timeline.every(({ at }: Body) => at.endsWith('T00:00:00.000Z')))
  }
})

test('a time without requests, and one in the future, have empty statistics', async (t) => {
  const admin = await api().newClient('admin')
  for (const query of [
    'from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z',
    'from=2099-01-01T00:00:00Z',
    'to=0001-01-01T00:00:00Z'
  ]) {
    const { status, body } = await call(admin.send, 'GET', `${base}/statistics?${query}`)
    t.is(status, 200, query)
    t.like(body.totals, { requests: 0, blockedRate: 0, costUsd: '0.000000000000' })
    t.deepEqual([body.byAction, body.byModel, body.timeline], [[], [], []])
    t.deepEqual((await call(admin.send, 'GET', `${base}/top-consumers?${query}`)).body, { data: [] })
  }
})

test('top consumers are those who used most of what is asked about', async (t) => {
  const { newClient, context } = api()
  const [admin, busy, rich, refused] = [
    await newClient('admin'),
    await newClient(),
    await newClient(),
    await newClient()
  ]
  const at = new Date('2026-02-02T10:00:00Z')
  const rows = (user_id: string, count: number, more: Parameters<typeof auditRow>[0]) =>
    Array.from({ length: count }, () => auditRow({ user_id, created_at: at, ...more }))
  await insertAudits(context.knex, [
    ...rows(busy.id, 9, { tokens: 1, costUsd: 0 }),
    ...rows(rich.id, 2, { tokens: 500, costUsd: 0.5 }),
    ...rows(refused.id, 4, { outcome: 'blocked' })
  ])
  const top = async (by: string, more = '') => {
    const path = `${base}/top-consumers?by=${by}&from=2026-02-02T00:00:00Z&to=2026-02-03T00:00:00Z${more}`
    return (await call(admin.send, 'GET', path)).body.data
  }
  t.deepEqual(
    (await top('requests')).map(({ userId }: Body) => userId),
    [busy.id, refused.id, rich.id]
  )
  t.is((await top('tokens'))[0].userId, rich.id)
  t.is((await top('blocked'))[0].userId, refused.id)
  t.deepEqual(await top('cost', '&limit=1'), [
    {
      userId: rich.id,
      email: `${rich.id}@example.test`,
      requests: 2,
      blocked: 0,
      totalTokens: 1000,
      costUsd: '1.000000000000'
    }
  ])
})

test('failed logins over HTTP make a user suspicious, and a right password does not', async (t) => {
  const { newClient, accounts, stranger } = api()
  const admin = await newClient('admin')
  const [victim, careful] = await Promise.all(
    ['victim', 'careful'].map((name) =>
      accounts.register({ email: `${name}.${newId()}@example.test`, password: 'correct horse', name })
    )
  )
  const login = (email: string | undefined, password: string) => stranger('POST', '/auth/token', { email, password })
  for (let n = 0; n < 10; n++) t.is((await login(victim?.user.email, 'wrong horse')).status, 401)
  for (let n = 0; n < 9; n++) t.is((await login(careful?.user.email, 'wrong horse')).status, 401)
  t.is((await login(careful?.user.email, 'correct horse')).status, 200)
  const suspects = await eventually(async () => {
    const { body } = await call(admin.send, 'GET', `${base}/suspicious`)
    return body.data.length > 0 && body.data
  })
  t.deepEqual(
    suspects.filter(({ reasons }: Body) => reasons.some(({ code }: Body) => code === 'failed_logins')),
    [{ userId: victim?.user.id, score: 50, reasons: [{ code: 'failed_logins', observed: 10, threshold: 10 }] }]
  )
})
