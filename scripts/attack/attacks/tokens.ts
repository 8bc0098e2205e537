import { createHmac, randomUUID } from 'node:crypto'
import { type Attack, type Finding, many, unless } from '../attack.ts'
import type { Person } from '../people.ts'

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Credentials that nobody was given. */
export const tokens: Attack = {
  name: 'tokens',
  about: 'forged, changed and misplaced credentials',
  prepare: (stage) => stage.newPerson(),
  async run(stage, _scale, prepared) {
    const findings: Finding[] = []
    const { token, id } = prepared as Person
    const [head = '', claims = '', signature = ''] = token.split('.')
    const known = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>
    const sign = (header: unknown, body: unknown, key: string) => {
      const text = `${part(header)}.${part(body)}`
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
    }
    const later = Math.floor(Date.now() / 1000) + 86_400
    const forged = [
      '',
      'x',
      `${head}.${claims}.`,
      `${head}.${claims}.${signature.slice(0, -2)}`,
      `${head}.${part({ ...known, role: 'admin' })}.${signature}`,
      `${head}.${part({ ...known, sub: randomUUID() })}.${signature}`,
      `${part({ alg: 'none' })}.${claims}.`,
      `${part({ alg: 'None', typ: 'JWT' })}.${part({ ...known, role: 'admin', exp: later })}.`,
      sign({ alg: 'HS256' }, { ...known, exp: later }, ''),
      sign({ alg: 'HS256' }, { ...known, exp: later }, 'secret'),
      sign({ alg: 'HS256', kid: '../../dev/null' }, { ...known, exp: later }, ''),
      sign({ alg: 'HS512' }, known, 'secret'),
      `gk_${'A'.repeat(43)}`,
      `gk_' or '1'='1`,
      stage.adminKey.slice(0, -1),
      `${stage.adminKey}A`,
      'Bearer',
      `${token} ${token}`,
      'a'.repeat(7_000)
    ]
    const clients = [stage.client(), stage.client()]
    const ask = async (what: string, headers: Record<string, string>, path = '/api/v1/users/me', n = 0) => {
      const { status, text } = await (clients[n % 2] as (typeof clients)[number]).send(path, { headers })
      findings.push(...unless(status >= 400 && status < 500, `${what}: ${status}`))
      findings.push(...unless(!text.includes(id), `${what} showed somebody`))
    }
    await many(forged.length, 4, (n) =>
      ask(`forged credential ${n}`, { authorization: `Bearer ${forged[n]}` }, undefined, n)
    )
    await ask('a token in the URL', {}, `/api/v1/users/me?token=${token}&access_token=${token}`)
    await ask('a token in a cookie', { cookie: `token=${token}; session=${token}; authorization=${token}` })
    await ask('a token as Basic', { authorization: `Basic ${Buffer.from(`${id}:${token}`).toString('base64')}` })
    await ask('somebody named by headers', { 'x-user-id': id, 'x-forwarded-user': id, 'x-role': 'admin' })
    await ask('a console cookie made up', { cookie: 'console=x; goals_console=x' }, '/admin/queues/api/queues')
    return findings
  }
}
