import type { IncomingMessage } from 'node:http'
import express from 'express'
import test from 'ava'
import { clientAddress } from '../../api/middleware/client-address.ts'

const from = (remoteAddress: string, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage

/** What Express makes of the same request. */
const byExpress = (trust: unknown, request: IncomingMessage) => {
  const app = express().set('trust proxy', trust)
  return [
    clientAddress(app)(request),
    Object.assign(Object.create(app.request) as express.Request, request, { app }).ip
  ]
}

test('an upgrade comes from the address that Express would name', (t) => {
  const cases: [unknown, IncomingMessage, string][] = [
    [false, from('10.0.0.1', '203.0.113.1'), '10.0.0.1'],
    [1, from('10.0.0.1', '203.0.113.1'), '203.0.113.1'],
    [1, from('10.0.0.1', '198.51.100.1, 203.0.113.1'), '203.0.113.1'],
    [2, from('10.0.0.1', '198.51.100.1,203.0.113.1'), '198.51.100.1'],
    [2, from('10.0.0.1'), '10.0.0.1'],
    [['10.0.0.0/8'], from('10.0.0.1', '198.51.100.1, 10.9.9.9'), '198.51.100.1'],
    [['10.0.0.0/8'], from('192.0.2.1', '198.51.100.1'), '192.0.2.1'],
    [['loopback'], from('::1', '198.51.100.1'), '198.51.100.1']
  ]
  for (const [trust, request, expected] of cases) {
    t.deepEqual(byExpress(trust, request), [expected, expected], JSON.stringify([trust, request]))
  }
})
