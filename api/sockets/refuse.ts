import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AppError } from '../../lib/errors/app-error.ts'

/** Answers an upgrade that is not granted with a problem document (RFC 9457), and hangs up. */
export function refuseUpgrade(socket: Duplex, error: AppError, headers: Record<string, string>): void {
  const { status, title, code, message: detail, extras } = error
  const { type = 'about:blank', members } = extras
  const body = JSON.stringify({ type, title, status, detail, code, ...members })
  const fields = {
    'Content-Type': 'application/problem+json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    Connection: 'close',
    ...headers,
    ...extras.headers
  }
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  // When all is handed over, whoever does not hang up is hung up on.
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${body}`)
}
