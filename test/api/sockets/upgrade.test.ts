import { request } from 'node:http'
import test from 'ava'
import { eventually } from '../../helpers/context.ts'
import { createSocketStage, refusedUpgrade } from '../../helpers/socket-stage.ts'

test('a JWT, an API key or a ticket opens a socket; a ticket opens one', async (t) => {
  const stage = await createSocketStage(t)
  const { url, ...news } = await stage.serve()
  const { id, token } = await stage.newPerson()
  const actor = await stage.auth.authenticator.authenticate(token)
  if (!actor) return t.fail()
  t.is(actor.id, id)
  const { key } = await stage.auth.apiKeys.create(actor, { name: 'socket' })
  const { ticket } = await stage.auth.tickets.issue(actor)

  for (const options of [{ token }, { token: key }, { query: `?ticket=${ticket}` }]) {
    const client = await stage.open(url, options)
    t.like(await client.ask({ id: 1, type: 'subscribe', channel: 'user:me' }), { type: 'subscribed' })
  }
  t.is(news.sockets(), 3)
  const again = await refusedUpgrade(`${url}?ticket=${ticket}`)
  t.is(again.status, 401)
})

test('whoever is not let in gets a problem document before the upgrade', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const { token } = await stage.newPerson()
  const cases: [string, Record<string, string>, number, string][] = [
    [url, {}, 401, 'unauthorized'],
    [url, { authorization: 'Bearer nonsense' }, 401, 'unauthorized'],
    [url, { authorization: `Basic ${token}` }, 401, 'unauthorized'],
    [`${url}?ticket=unknown`, {}, 401, 'unauthorized'],
    [`${url}?token=${token}`, {}, 401, 'unauthorized'],
    [`${url}?access_token=${token}`, { authorization: `Bearer ${token}` }, 401, 'unauthorized'],
    [`${url}?other=1`, { authorization: `Bearer ${token}` }, 422, 'invalid'],
    ...['elsewhere', '//', '//ws', 'ws/', 'ws//', '%2fws', '///x:y@z:99999/', 'ws%'].map(
      (path): [string, Record<string, string>, number, string] => [
        url.replace(/ws$/, path),
        { authorization: `Bearer ${token}` },
        404,
        'not_found'
      ]
    )
  ]
  for (const [at, headers, status, code] of cases) {
    const refused = await refusedUpgrade(at, headers)
    t.is(refused.status, status, at)
    t.like(refused.problem, { status, code, type: 'about:blank' })
    t.is(typeof refused.problem.detail, 'string')
    t.regex(String(refused.headers['content-type']), /^application\/problem\+json/)
    if (status === 401) t.truthy(refused.headers['www-authenticate'])
    t.false(JSON.stringify(refused.problem).includes(token))
  }
})

test('upgrades are limited by address, and say so as other requests do', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve({ upgradesPerMinute: 2 })
  const { token } = await stage.newPerson()
  await stage.open(url, { token })
  t.is((await refusedUpgrade(url)).status, 401)
  const refused = await refusedUpgrade(url, { authorization: `Bearer ${token}` })
  t.is(refused.status, 429)
  t.true(Number(refused.headers['retry-after']) > 0)
  t.regex(String(refused.headers.ratelimit), /^"address";r=0;t=\d+$/)
  t.like(refused.problem, {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    code: 'rate_limited',
    'violated-policies': ['address']
  })
})

test('requests that ask for another upgrade are answered as if they had not', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const answer = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const plain = request(
      url.replace(/^ws/, 'http'),
      { headers: { connection: 'Upgrade', upgrade: 'h2c' } },
      (response) => {
        let text = ''
        response.on('data', (chunk) => (text += chunk))
        response.on('end', () => resolve({ status: response.statusCode, text }))
      }
    )
    plain.on('error', reject)
    plain.end()
  })
  t.deepEqual(answer, { status: 200, text: 'plain' })
})

test('a person has at most 20 connections over all processes, and closing one makes room', async (t) => {
  const stage = await createSocketStage(t)
  const first = await stage.serve()
  const second = await stage.serve()
  const { token } = await stage.newPerson()
  const { token: other } = await stage.newPerson()
  const clients = []
  for (let i = 0; i < 20; i++) clients.push(await stage.open(i % 2 ? first.url : second.url, { token }))
  const refused = await refusedUpgrade(first.url, { authorization: `Bearer ${token}` })
  t.is(refused.status, 429)
  await stage.open(first.url, { token: other })
  clients[0]?.socket.close()
  await clients[0]?.closed
  await eventually(async () => {
    try {
      await stage.open(first.url, { token })
      return true
    } catch {
      return false
    }
  })
  t.is(first.sockets() + second.sockets(), 21)
})

test('without Redis each process counts its own connections', async (t) => {
  const stage = await createSocketStage(t)
  const { token } = await stage.newPerson()
  const { url } = await stage.serve({ redisUrl: 'redis://127.0.0.1:1' })
  for (let i = 0; i < 20; i++) await stage.open(url, { token })
  t.is((await refusedUpgrade(url, { authorization: `Bearer ${token}` })).status, 429)
})
