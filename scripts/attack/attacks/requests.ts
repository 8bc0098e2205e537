import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Attack, type Finding, many, times, unless } from '../attack.ts'
import { json } from '../http.ts'
import type { Person } from '../people.ts'

/** Addresses that a webhook must never reach, in the spellings that parsers disagree about. */
const inside = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.1/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://0.0.0.0/',
  'http://169.254.169.254/latest/meta-data/',
  'http://10.0.0.1/',
  'http://192.168.0.1/',
  'http://172.16.0.1/',
  'http://100.64.0.1/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
  'http://１２７.0.0.1/',
  'http://127.0.0.1.:80/',
  'http://user@127.0.0.1/',
  'ftp://example.org/',
  'file:///etc/passwd',
  'gopher://127.0.0.1/',
  'javascript:alert(1)'
]

export const targets: Attack = {
  name: 'targets',
  about: 'webhooks at addresses of this machine and network, in many spellings',
  prepare: (stage) => stage.newPerson(),
  async run(_stage, _scale, prepared) {
    const { client, token } = prepared as Person
    const answers = await many(inside.length, 4, (n) =>
      client.send('/api/v1/webhooks', { token, body: { url: inside[n], events: ['*'] } })
    )
    return answers.flatMap(({ status }, n) => unless(status === 422, `a webhook at ${inside[n]}: ${status}`))
  }
}

const rubbish = [
  "'; drop table users; --",
  '%00',
  '\u0000',
  '\ud800',
  '${7*7}{{7*7}}',
  '../../../../etc/passwd',
  '%',
  '\\',
  '{"$gt":""}',
  '9'.repeat(400),
  '-1',
  'NaN',
  '1e999',
  '[]',
  '\u202e\u0000',
  'a'.repeat(5_000)
]

/** Values that break a statement, a parser or an object, wherever a client may put one. */
export const injections: Attack = {
  name: 'injections',
  about: 'rubbish, statements and prototypes in every query parameter, id and field',
  prepare: (stage) => many(4, 4, () => stage.newPerson()),
  async run(_stage, scale, prepared) {
    const findings: Finding[] = []
    const people = prepared as Person[]
    const paths = ['/goals', '/tasks', '/courses', '/documents', '/code-snapshots', '/events', '/jobs', '/chat/threads']
    const names = ['limit', 'cursor', 'status', 'goalId', 'after', 'type', 'action', '__proto__', 'constructor']
    const ask = (n: number): Promise<{ status: number; text: string }> => {
      const { client, token } = people[n % people.length] as Person
      const value = rubbish[n % rubbish.length] as string
      const path = `/api/v1${paths[n % paths.length]}`
      const encoded = encodeURIComponent(value.toWellFormed())
      const kind = n % 4
      if (kind === 0) return client.send(`${path}?${names[n % names.length]}=${encoded}`, { token })
      if (kind === 1) return client.send(`${path}/${encoded.slice(0, 2_000) || 'x'}`, { token })
      if (kind === 2) return client.send(path, { token, body: { title: value, name: value, type: value, url: value } })
      const body = `{"title":${JSON.stringify(value)},"__proto__":{"role":"admin"},"constructor":{"prototype":{"x":1}}}`
      return client.send(path, { token, body })
    }
    const answers = await many(times(scale, 300), 8, ask)
    const inner = /syntax error at|SELECT |relation "|at Object\.|node_modules|\.ts:\d+/
    findings.push(...unless(!answers.some(({ text }) => inner.test(text)), 'an answer told how it works inside'))
    const [{ client, token }] = people as [Person]
    const me = json<{ role?: string; x?: unknown }>(await client.send('/api/v1/users/me', { token }))
    findings.push(...unless(me.role === undefined || me.role === 'user', `a user became ${me.role}`))
    return findings
  }
}

/** Requests that two parsers read differently, paths that lead around a check, and corners without a limit. */
export const bypasses: Attack = {
  name: 'bypasses',
  about: 'smuggled requests, odd paths, and pages that have no limit',
  async run(stage, scale) {
    const findings: Finding[] = []
    const client = stage.client()
    const smuggled = [
      'POST /api/v1/auth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /admin/queues HTTP/1.1\r\nhost: x\r\n\r\n',
      'POST /api/v1/auth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 40\r\n\r\nabcd',
      'POST /api/v1/auth/token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n',
      'GET /api/v1/users/me HTTP/1.1\r\nhost: x\r\n authorization: Bearer x\r\n\r\n',
      'GET /api/v1/users/me HTTP/1.1\nhost: x\n\n'
    ]
    for (const text of smuggled) {
      const said = await exchange(client.open(), text)
      const statuses = [...said.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
      findings.push(
        ...unless(
          statuses.every((status) => status >= 400 && status < 500),
          `a smuggled request was answered ${statuses.join(' and ')}`
        )
      )
    }
    const odd = [
      '/admin/queues',
      '/admin//queues',
      '/ADMIN/queues',
      '/admin/%71ueues',
      '/admin/./queues',
      '/admin/x/../queues',
      '/api/v1/../../admin/queues',
      '/api/v1//users',
      '/admin/queues/api/queues'
    ]
    for (const path of odd) {
      const { status, text } = await client.send(path)
      const shows = status === 200 && /bull|queues/i.test(text) && !/password/i.test(text)
      findings.push(...unless(!shows, `${path} is open to strangers`))
    }
    // What every page has: an end to how often one address may ask.
    for (const path of [
      '/docs/',
      '/openapi.json',
      '/admin/login',
      '/admin/queues',
      '/',
      '/nothing-here',
      '/docs/swagger-ui.css'
    ]) {
      const from = stage.client()
      const answers = await many(200, 16, () => from.send(path))
      findings.push(
        ...unless(
          answers.some(({ status }) => status === 429),
          `${path} may be asked for without a limit`
        )
      )
      from.close()
      if (scale.share < 1) break
    }
    return findings
  }
}

async function exchange(socket: Socket, text: string): Promise<string> {
  let said = ''
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1')
  })
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.write(text)
  await Promise.race([closed, delay(1_500)])
  socket.destroy()
  return said
}
