import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestFn } from 'ava'
import express from 'express'
import { createBodyReader } from '../../api/intake/body-reader.ts'
import { problemHandler } from '../../api/middleware/problems.ts'
import { requestId } from '../../api/middleware/request-id.ts'
import { mountEndpoints } from '../../api/mount.ts'
import { allRecordEndpoints } from '../../api/routes/records.ts'
import { newApiKey } from '../../lib/auth/api-key.ts'
import { defaultLimits } from '../../lib/gate/limits.ts'
import { createApiKeyStore } from '../../lib/store/people/api-keys.ts'
import { gateFor } from './gate.ts'
import { type RecordsPlace, recordsForFile } from './records.ts'

/** What an answer may hold, of those fields that tests look into. */
export type Body = Record<string, unknown> & {
  id: string
  status: string | number
  courseId: string
  createdAt: string
  updatedAt: string
  completedAt: string
  progress: number
  data: Body[] | null
  errors: { path: string; message: string }[]
}
export type Answer = { status: number; headers: Headers; body: Body }

export type Sender = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

export type RecordsApi = RecordsPlace & {
  /** a person with an API key: sends requests below `/api/v1` */
  newClient: (role?: 'user' | 'admin') => Promise<{ id: string; send: Sender }>
  stranger: Sender
}

/** The record routes over HTTP, as the app mounts them, with limits that no test reaches. Opened when first asked for. */
export function recordsApiForFile(test: TestFn): () => Promise<RecordsApi> {
  const place = recordsForFile(test)
  let opened: ReturnType<typeof open> | undefined
  test.after.always(async () => await (await opened)?.close())
  return async () => {
    opened ??= open(place())
    return (await opened).api
  }
}

async function open(place: RecordsPlace) {
  const { context, records } = place
  const gate = gateFor({
    redis: context.redis,
    prefix: context.prefix,
    limits: {
      ...defaultLimits,
      api_call: { limitPerMinute: 100_000, burst: 1 },
      address: { limitPerMinute: 100_000, burst: 1 }
    }
  })
  const bodies = createBodyReader()
  const app = express().disable('etag').set('query parser', 'simple')
  app.use(requestId())
  app.use(
    '/api/v1',
    mountEndpoints({
      endpoints: allRecordEndpoints({ records }),
      basePath: '/api/v1',
      authenticator: context.auth.authenticator,
      gate,
      bodies,
      watch: { add() {}, remove() {} }
    })
  )
  app.use(problemHandler({ log: context.log }))
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`

  const sender =
    (token?: string): Sender =>
    async (method, path, body, headers = {}) => {
      const response = await fetch(url + path, {
        method,
        headers: {
          ...(token ? { Authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) })
      })
      const text = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        body: (text === '' ? undefined : JSON.parse(text)) as Body
      }
    }

  const api: RecordsApi = {
    ...place,
    stranger: sender(),
    async newClient(role = 'user') {
      const actor = await place.newActor(role)
      const { key, hash, hint } = newApiKey()
      await createApiKeyStore({ knex: context.knex }).insert(context.knex, {
        userId: actor.id,
        name: 'test',
        hash,
        hint,
        expiresAt: null
      })
      return { id: actor.id, send: sender(key) }
    }
  }
  return {
    api,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await gate.close()
      await bodies.close()
    }
  }
}
