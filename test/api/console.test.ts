import test from 'ava'
import { startApi } from '../helpers/api.ts'
import { placeForFile } from '../helpers/auth.ts'

const place = placeForFile(test)
const start = (t: Parameters<typeof startApi>[0], options: Parameters<typeof startApi>[1] = {}) =>
  startApi(t, { place: place(), ...options })
type Api = Awaited<ReturnType<typeof start>>

const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

function postForm({ send }: Pick<Api, 'send'>, path: string, fields: Record<string, string>, headers = {}) {
  return send('POST', path, {
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    redirect: 'manual'
  })
}

async function logIn(api: Api, role: 'user' | 'admin' = 'admin') {
  const person = await api.enter('root', role)
  const answer = await postForm(api, '/admin/login', person)
  const cookie = (answer.headers.getSetCookie()[0] ?? '').split(';')[0] ?? ''
  return { ...person, answer, cookie }
}

test('strangers are sent to the login page by browsers and told 401 otherwise', async (t) => {
  const { send } = await start(t)
  for (const path of ['/admin/queues', '/admin/queues/', '/admin/queues/queue/chat_completion']) {
    const browser = await send('GET', path, { headers: html, redirect: 'manual' })
    t.is(browser.status, 303)
    t.is(browser.headers.get('location'), '/admin/login')
    t.truthy(browser.headers.get('ratelimit'))
    const client = await send('GET', path, { headers: { accept: 'application/json, text/plain, */*' } })
    t.is(client.status, 401)
    t.is(client.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  }
  t.is((await send('GET', '/admin/queues/api/queues')).status, 401)
  t.is((await send('POST', '/admin/queues/api/queues', { headers: html })).status, 401)
})

test('an administrator logs in to a cookie that is the console\u2019s alone, for an hour', async (t) => {
  const api = await start(t)
  const { answer, cookie } = await logIn(api)
  t.is(answer.status, 303)
  t.is(answer.headers.get('location'), '/admin/queues')
  const [set = ''] = answer.headers.getSetCookie()
  for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/admin']) t.true(set.includes(part), part)
  const expires = Date.parse(/Expires=([^;]+)/.exec(set)?.[1] ?? '')
  t.true(Math.abs(expires - Date.now() - 3_600_000) < 60_000)
  t.false(set.includes('Secure'))

  const page = await api.send('GET', '/admin/queues', { headers: { ...html, cookie } })
  t.is(page.status, 200)
  t.regex(page.text, /<title>Queues<\/title>/)
  const listed = await api.send('GET', '/admin/queues/api/queues', { headers: { cookie } })
  t.deepEqual(listed.body.queues.map(({ name }: { name: string }) => name).sort(), ['chat_completion', 'rag_search'])
  t.true(listed.body.queues.every(({ readOnlyMode }: { readOnlyMode: boolean }) => readOnlyMode))
  const asset = /src="(static\/js\/main[^"]+)"/.exec(page.text)?.[1]
  t.is((await api.send('GET', `/admin/queues/${asset}`, { headers: { cookie } })).status, 200)

  const token = cookie.split('=')[1]
  t.is((await api.send('GET', '/api/v1/users/me', { token })).status, 401)
  t.is((await api.send('GET', '/api/v1/users/me', { headers: { cookie } })).status, 401)
})

test('over https the cookie is never sent in the clear', async (t) => {
  const api = await start(t, { env: { TRUST_PROXY: '1' } })
  const person = await api.enter('root', 'admin')
  const answer = await postForm(api, '/admin/login', person, { 'x-forwarded-proto': 'https' })
  t.true(answer.headers.getSetCookie()[0]?.includes('Secure'))
})

test('a bearer token of an administrator opens the queues too, a user\u2019s does not', async (t) => {
  const { send, enter } = await start(t)
  const [root, ada] = [await enter('root', 'admin'), await enter('ada')]
  t.is((await send('GET', '/admin/queues/api/queues', { token: root.token })).status, 200)
  t.is((await send('GET', '/admin/queues/api/queues', { token: ada.token })).status, 403)
  t.is((await send('GET', '/admin/queues', { token: ada.token, headers: html })).status, 403)
})

test('a user who logs in is told that it is not for them and gets no cookie', async (t) => {
  const api = await start(t)
  const { answer } = await logIn(api, 'user')
  t.is(answer.status, 403)
  t.regex(answer.text, /not an administrator/)
  t.deepEqual(answer.headers.getSetCookie(), [])
})

test('a wrong login shows the form again, with the e-mail escaped and no password', async (t) => {
  const api = await start(t)
  const email = '"><script>alert(1)</script>'
  const answer = await postForm(api, '/admin/login', { email, password: 'sekret words' })
  t.is(answer.status, 401)
  t.regex(answer.text, /role="alert"[^>]*>E-mail or password is wrong/)
  t.true(answer.text.includes('&quot;&gt;&lt;script&gt;'))
  t.notRegex(answer.text, /<script>|sekret/)
  t.is((await postForm(api, '/admin/login', {})).status, 401)
  t.is((await api.send('POST', '/admin/login', { body: { email, password: 'x' } })).status, 415)
  t.is((await postForm(api, '/admin/login', { email: 'x'.repeat(20_000), password: 'x' })).status, 413)
})

test('the pages of the login take their own methods only', async (t) => {
  const api = await start(t)
  for (const [method, path, allow] of [
    ['PUT', '/admin/login', 'GET, HEAD, POST'],
    ['GET', '/admin/logout', 'POST']
  ] as const) {
    const answer = await api.send(method, path)
    t.is(answer.status, 405, path)
    t.is(answer.headers.get('allow'), allow)
    t.truthy(answer.headers.get('ratelimit'))
  }
})

test('the board only reads: whatever changes something is refused', async (t) => {
  const api = await start(t)
  const { cookie } = await logIn(api)
  const [queue] = api.queues
  const job = await queue?.add('chat_completion', { jobId: 'x' })
  const changes = [
    ['PUT', '/admin/queues/api/queues/chat_completion/pause'],
    ['PUT', '/admin/queues/api/queues/chat_completion/empty'],
    ['PUT', '/admin/queues/api/queues/chat_completion/obliterate'],
    ['PUT', `/admin/queues/api/queues/chat_completion/${job?.id}/clean`],
    ['PUT', `/admin/queues/api/queues/chat_completion/${job?.id}/retry/failed`],
    ['POST', '/admin/queues/api/queues/chat_completion/add'],
    ['PATCH', `/admin/queues/api/queues/chat_completion/${job?.id}/update-data`],
    ['DELETE', '/admin/queues/api/queues/chat_completion']
  ] as const
  for (const [method, path] of changes) {
    const answer = await api.send(method, path, { headers: { cookie }, body: {} })
    t.is(answer.status, 405, path)
    t.is(answer.headers.get('allow'), 'GET, HEAD')
  }
  t.is(await queue?.count(), 1)
  t.is(
    (await api.send('GET', `/admin/queues/api/queues/chat_completion/${job?.id}`, { headers: { cookie } })).status,
    200
  )
  await queue?.obliterate({ force: true })
})

test('rubbish asked of the board is no server error', async (t) => {
  const api = await start(t)
  const { cookie } = await logIn(api)
  const paths = [
    'api/queues?page=-1&jobsPerPage=abc&activeQueue=none&status=nothing',
    'api/queues?activeQueue=chat_completion&status=%00&page=99999999999999999999',
    'api/queues/none/1',
    'api/queues/chat_completion/%00',
    'api/queues/chat_completion/%E0%A4%A',
    'api/queues/__proto__/constructor',
    'api/queues/chat_completion/metrics?x[]=1',
    'api/nothing',
    'static/../../../package.json',
    'static/%2e%2e/%2e%2e/package.json',
    'queue/%3Cscript%3E'
  ]
  for (const path of paths) {
    const { status, text } = await api.send('GET', `/admin/queues/${path}`, { headers: { cookie } })
    t.true(status < 500, `${path} ${status}`)
    t.notRegex(text, /at .*node_modules/)
  }
})

test('forms sent by other sites are refused, those of this site are not', async (t) => {
  const api = await start(t)
  const person = await api.enter('root', 'admin')
  const sendFrom = (headers: Record<string, string>) => postForm(api, '/admin/login', person, headers)
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example.org' },
    { origin: 'null' }
  ]) {
    t.is((await sendFrom(headers as Record<string, string>)).status, 403, JSON.stringify(headers))
  }
  t.is((await sendFrom({ 'sec-fetch-site': 'same-origin', origin: 'https://elsewhere.example.org' })).status, 303)
  t.is((await sendFrom({ origin: api.url })).status, 303)
})

test('logging out ends the session itself, not only the cookie', async (t) => {
  const api = await start(t)
  const { cookie } = await logIn(api)
  t.regex((await api.send('GET', '/admin/login', { headers: { cookie } })).text, /You are logged in/)
  const out = await postForm(api, '/admin/logout', {}, { cookie })
  t.is(out.status, 303)
  t.regex(out.headers.getSetCookie()[0] ?? '', /goals_console=;.*Path=\/admin/)
  t.is((await api.send('GET', '/admin/queues/api/queues', { headers: { cookie } })).status, 401)
})

test('a changed password or a lost role ends the console at once', async (t) => {
  const api = await start(t)
  const root = await logIn(api)
  const password = 'another password'
  const change = { current: root.password, next: password }
  t.is((await api.send('POST', '/api/v1/auth/password', { token: root.token, body: change })).status, 204)
  t.is((await api.send('GET', '/admin/queues/api/queues', { headers: { cookie: root.cookie } })).status, 401)

  const second = await logIn(api)
  await api.knex('users').where({ id: second.id }).update({ role: 'user' })
  t.is((await api.send('GET', '/admin/queues/api/queues', { headers: { cookie: second.cookie } })).status, 403)
})

test('the login is limited by address, and failures by address and e-mail', async (t) => {
  const byAddress = await start(t, { limits: { address: { limitPerMinute: 1, burst: 2 } } })
  t.is((await postForm(byAddress, '/admin/login', { email: 'a', password: 'b' })).status, 401)
  t.is((await byAddress.send('GET', '/admin/login')).status, 200)
  const refused = await postForm(byAddress, '/admin/login', { email: 'a', password: 'b' })
  t.is(refused.status, 429)
  t.truthy(refused.headers.get('retry-after'))

  const byPair = await start(t, { limits: { login_failed: { limitPerMinute: 1, burst: 1 } } })
  const { email, password } = await byPair.enter('root', 'admin')
  t.is((await postForm(byPair, '/admin/login', { email, password })).status, 303)
  t.is((await postForm(byPair, '/admin/login', { email, password: 'wrong' })).status, 401)
  const locked = await postForm(byPair, '/admin/login', { email, password })
  t.is(locked.status, 429)
  t.regex(locked.text, /Too many requests/)
  t.is((await byPair.send('POST', '/api/v1/auth/token', { body: { email, password } })).status, 429)
})

test('whoever has logged in pays for each page and part with their own calls, strangers with their address', async (t) => {
  const api = await start(t, { limits: { api_call: { limitPerMinute: 1, burst: 3 } } })
  const { cookie } = await logIn(api)
  const get = (path: string) => api.send('GET', path, { headers: { ...html, cookie }, redirect: 'manual' })
  t.is((await get('/admin/queues')).status, 200)
  t.is((await get('/admin/queues/api/queues')).status, 200)
  t.is((await get('/admin/login')).headers.get('x-ratelimit-remaining'), '0')
  for (const path of ['/admin/queues', '/admin/queues/static/nothing.js', '/admin/login']) {
    const refused = await get(path)
    t.is(refused.status, 429, path)
    t.deepEqual(refused.body['violated-policies'], ['api_call'], path)
    t.truthy(refused.headers.get('retry-after'), path)
  }
  t.is((await api.send('GET', '/admin/login', { headers: html })).status, 200, 'a stranger’s address has its own')
})
