import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { WebSocket } from 'ws'
import { type Attack, type Finding, many, type Scale, times, unless } from '../attack.ts'
import type { Answer } from '../http.ts'
import type { Person } from '../people.ts'
import type { Stage } from '../stage.ts'

const mib = 1024 * 1024

const texts = (): Record<string, Buffer> => ({
  'nested arrays': Buffer.alloc(10 * mib, '['),
  'nested objects': Buffer.from('{"a":'.repeat(2 * mib)),
  'many elements': Buffer.from(`[${'0,'.repeat(5 * mib - 8)}0]`),
  'many empty arrays': Buffer.from(`[${'[],'.repeat(3 * mib)}[]]`),
  'many keys': Buffer.from(`{${Array.from({ length: 500_000 }, (_, n) => `"k${n}":0`).join(',')}}`),
  'one long number': Buffer.from(`{"title":${'9'.repeat(9 * mib)}}`),
  blanks: Buffer.from(`${' '.repeat(10 * mib - 2)}{}`),
  escapes: Buffer.from(`{"title":"${'\\u0041'.repeat(1.6 * mib)}"}`)
})

const codings = {
  br: (bytes: Buffer) => brotliCompressSync(bytes),
  gzip: (bytes: Buffer) => gzipSync(bytes),
  deflate: (bytes: Buffer) => deflateSync(bytes),
  'gzip, br': (bytes: Buffer) => brotliCompressSync(gzipSync(bytes))
}

type Packed = { what: string; coding: string; bytes: Buffer }

async function prepare(stage: Stage, { share }: Scale): Promise<{ packed: Packed[]; person: Person }> {
  const all = Object.entries(texts())
  // Packing ten megabytes four times over is most of the work: the short form packs some of it.
  const packed = all
    .slice(0, Math.max(2, Math.ceil(all.length * share)))
    .flatMap(([what, bytes]) =>
      Object.entries(codings).map(([coding, pack]) => ({ what: `${what}, ${coding}`, coding, bytes: pack(bytes) }))
    )
  return { packed, person: await stage.newPerson() }
}

/** Bodies that are small on the wire and large, deep or wide when they are read, with a credential and without. */
export const bodies: Attack = {
  name: 'bodies',
  about: 'packed, deep and wide bodies on routes with and without a credential, and as messages of a WebSocket',
  prepare,
  async run(stage, scale, prepared) {
    const findings: Finding[] = []
    const { packed, person } = prepared as Awaited<ReturnType<typeof prepare>>
    const stranger = stage.client()
    const deepest = packed.filter(({ what }) => what.startsWith('nested arrays'))
    const check = ({ status, tookMs }: Answer, what: string) => {
      const refused = (status >= 400 && status < 500 && status !== 404) || status === 503
      findings.push(...unless(refused, `${what}: answered ${status}`))
      findings.push(...unless(tookMs < 30_000, `${what}: answered after ${Math.round(tookMs / 1000)} s`))
    }

    await many(times(scale, 30), 30, async (n) => {
      const { what, coding, bytes } = deepest[n % deepest.length] as (typeof packed)[number]
      const headers = { 'content-encoding': coding }
      check(await stranger.send('/api/v1/auth/token', { body: bytes, headers }), `stranger: ${what}`)
    })
    const { id: courseId } = JSON.parse(
      (await person.client.send('/api/v1/courses', { token: person.token, body: { title: 'Course' } })).text
    ) as { id: string }
    const paths = ['/api/v1/bulk', `/api/v1/courses/${courseId}/documents`, '/api/v1/events', '/api/v1/goals']
    await many(times(scale, packed.length * 2), 10, async (n) => {
      const { what, coding, bytes } = packed[n % packed.length] as (typeof packed)[number]
      const path = paths[n % paths.length] as string
      const headers = { 'content-encoding': coding }
      check(await person.client.send(path, { token: person.token, body: bytes, headers }), `${path}: ${what}`)
    })
    findings.push(...(await frames(stage, person.token, times(scale, 40))))
    return [...new Set(findings)]
  }
}

/** Messages of a socket: rubbish is answered as such and costs nobody else anything. */
async function frames(stage: Stage, token: string, count: number): Promise<Finding[]> {
  const messages = ['['.repeat(65_000), '{"a":'.repeat(13_000), `[${'0,'.repeat(32_000)}0]`, Buffer.alloc(65_000, '[')]
  const socket = new WebSocket(`${stage.url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${token}` },
    localAddress: '127.4.0.1'
  } as never)
  let answered = 0
  socket.on('message', () => answered++)
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.on('open', resolve).on('close', resolve))
  for (let n = 0; n < count; n++) socket.send(messages[n % messages.length] as string)
  // Over twenty a second it is closed, as the contract says.
  const code = await Promise.race([closed, new Promise((resolve) => setTimeout(() => resolve('open'), 3_000))])
  socket.terminate()
  return unless(answered > 0 || code === 4013, 'messages of a socket that are no JSON were not answered')
}
