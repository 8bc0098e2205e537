import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { type Attack, type Finding, many, times, unless } from '../attack.ts'
import { json } from '../http.ts'
import type { Person } from '../people.ts'

/** Webhooks that never answer hold the places of deliveries. */
export const deliveries: Attack = {
  name: 'deliveries',
  about: 'twenty webhooks that never answer, and many events for each',
  prepare: (stage) => stage.newPerson(),
  async run(stage, scale, prepared) {
    const { client, token } = prepared as Person
    await many(20, 4, (n) =>
      client.send('/api/v1/webhooks', { token, body: { url: `${stage.receiver.url}/silent/${n}`, events: ['*'] } })
    )
    await many(times(scale, 100), 10, (n) =>
      client.send('/api/v1/events', { token, body: { type: 'client.example', data: { n } } })
    )
    await delay(20_000 * scale.share)
    return []
  }
}

/** Sources on which a parser never comes to an end. */
export const validations: Attack = {
  name: 'validations',
  about: 'sources whose syntax check never ends',
  prepare: (stage) => stage.newPerson(),
  async run(stage, scale, prepared) {
    const { client, token } = prepared as Person
    const answers = await many(times(scale, 38), 38, (n) =>
      client.send('/api/v1/code-validations', {
        token,
        body: { language: 'typescript', source: `${'f<T>('.repeat(24)}${n}` }
      })
    )
    await delay(20_000 * scale.share)
    const odd = answers.filter(({ status }) => status !== 202)
    return unless(odd.length === 0, `sources were answered ${[...new Set(odd.map(({ status }) => status))].join(', ')}`)
  }
}

/** Hashes of passwords cost memory and time by design. */
export const passwords: Attack = {
  name: 'passwords',
  about: 'fifty changes of a password at once, and logins that fail, from one address',
  prepare: (stage) => stage.newPerson(),
  async run(stage, scale, prepared) {
    const { client, token, email } = prepared as Person
    const answers = await Promise.all([
      ...Array.from({ length: times(scale, 50) }, () =>
        client.send('/api/v1/auth/password', { token, body: { current: 'a wrong password', next: 'another password' } })
      ),
      ...Array.from({ length: times(scale, 30) }, (_, n) =>
        client.send('/api/v1/auth/token', { body: { email: `${n}${email}`, password: 'a wrong password' } })
      )
    ])
    const longest = Math.max(...answers.map(({ tookMs }) => tookMs))
    return unless(longest < 60_000, `a change of a password was answered after ${Math.round(longest / 1000)} s`)
  }
}

/** Names whose servers say nothing. */
export const names: Attack = {
  name: 'names',
  about: 'webhooks at names that no server answers for, and at names of this network',
  prepare: (stage) => stage.newPerson(),
  async run(stage, scale, prepared) {
    const { client, token } = prepared as Person
    const answers = await many(times(scale, 20), 20, (n) =>
      client.send('/api/v1/webhooks', {
        token,
        body: { url: `https://silent-${n}.example.test/hook`, events: ['goal.created'] }
      })
    )
    // Whether a name is known here must not be seen.
    const known = [hostname(), 'nobody-has-this-name.invalid', 'nor-this-one.example.test']
    const kinds = await many(known.length, 3, (n) =>
      client.send('/api/v1/webhooks', { token, body: { url: `https://${known[n]}/`, events: ['*'] } })
    )
    const statuses = new Set(kinds.map(({ status }) => status))
    return [
      ...unless(
        answers.every(({ tookMs }) => tookMs < 15_000),
        'registering a webhook took longer than 15 s'
      ),
      ...unless(statuses.size === 1, `known and unknown names are told apart: ${[...statuses].join(', ')}`)
    ]
  }
}

const mostStreams = 20

/** Control frames, sockets and streams in masses. */
export const connections: Attack = {
  name: 'connections',
  about: 'floods of pong frames, 1,500 event streams of one user, upgrades and connections that say nothing',
  prepare: (stage) => stage.newPerson(),
  async run(stage, scale, prepared) {
    const findings: Finding[] = []
    const person = prepared as Person
    const { client, token } = person
    const { id } = json<{ id: string }>(await client.send('/api/v1/rag/search', { token, body: { query: 'loops' } }))
    const stop = new AbortController()
    let open = 0
    let mostOpen = 0
    const opening = many(times(scale, 1_500), 200, async () => {
      const socket = client.open()
      socket.write(
        `GET /api/v1/jobs/${id}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\naccept: text/event-stream\r\n\r\n`
      )
      stop.signal.addEventListener('abort', () => socket.destroy())
      let isOpen = false
      const end = () => {
        if (isOpen) open--
        isOpen = false
      }
      const answered = Promise.withResolvers<void>()
      socket.on('data', (piece: Buffer) => {
        const text = piece.toString('latin1')
        if (text.startsWith('HTTP/1.1 200')) {
          isOpen = true
          mostOpen = Math.max(mostOpen, ++open)
        }
        // the last chunk of a body (RFC 9112, 7.1): the stream has ended, the connection is kept
        if (text.endsWith('0\r\n\r\n')) end()
        answered.resolve()
      })
      socket.on('close', () => {
        end()
        answered.resolve()
      })
      await Promise.race([answered.promise, delay(10_000)])
    })
    const floods = many(times(scale, 10), 10, async () => {
      const socket = new WebSocket(`${stage.url.replace('http', 'ws')}/ws`, {
        headers: { authorization: `Bearer ${token}` },
        localAddress: client.address
      } as never)
      socket.on('error', () => undefined)
      await new Promise((resolve) => socket.on('open', resolve).on('close', resolve))
      const closed = new Promise((resolve) => socket.on('close', resolve))
      for (let n = 0; n < times(scale, 200_000) && socket.readyState === WebSocket.OPEN; n++) {
        socket.pong(n % 3 === 0 ? Buffer.alloc(125) : '')
        if (n % 2_000 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.race([closed, delay(5_000)])
      findings.push(...unless(socket.readyState !== WebSocket.OPEN, 'a flood of pong frames was let go on'))
      socket.terminate()
    })
    // Connections that begin a request and never end it.
    for (let n = 0; n < times(scale, 300); n++) {
      const socket = client.open()
      socket.write('POST /api/v1/auth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-le')
      stop.signal.addEventListener('abort', () => socket.destroy())
    }
    for (const path of ['///', '//ws', '/ws/', '/%2e%2e/ws', '/ws?ticket=x']) {
      const answer = await client.send(path, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA=='
        }
      })
      findings.push(...unless(answer.status < 500, `an upgrade at ${path} was answered ${answer.status}`))
    }
    await Promise.all([opening, floods])
    await delay(2_000)
    stop.abort()
    findings.push(...unless(mostOpen <= mostStreams, `${mostOpen} event streams of one user were open at once`))
    return [...new Set(findings)]
  }
}

/** Thousands of jobs of one person before another's one. */
export const backlog: Attack = {
  name: 'backlog',
  about: 'five bulk creations of 500 records and every job that the limits allow, of one person',
  prepare: (stage) => stage.newPerson(),
  async run(stage, scale, prepared) {
    const { client, token } = prepared as Person
    const goals = Array.from({ length: times(scale, 500) }, (_, n) => ({
      title: `Goal ${n}`,
      description: `About number ${n}`
    }))
    await many(5, 2, () => client.send('/api/v1/bulk', { token, body: { goals } }))
    await many(times(scale, 24), 8, (n) =>
      client.send('/api/v1/embeddings', { token, body: { input: Array.from({ length: 100 }, () => `text ${n}`) } })
    )
    await many(times(scale, 75), 8, (n) => client.send('/api/v1/rag/search', { token, body: { query: `loops ${n}` } }))
    await delay(20_000 * scale.share)
    return []
  }
}
