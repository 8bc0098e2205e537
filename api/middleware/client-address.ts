import type { IncomingMessage } from 'node:http'
import type { Express } from 'express'

/** Whether a peer is a proxy that `TRUST_PROXY` names, or counts: behind it are clients of many addresses. */
export function isTrustedProxy(app: Express): (address: string) => boolean {
  const trusts = app.get('trust proxy fn') as (address: string, hop: number) => boolean
  return (address) => trusts(address, 0)
}

/**
 * The client's address of a request that Express does not see, an upgrade, by the same rule as `req.ip`: from the
 * connection outwards through `X-Forwarded-For`, as long as each is a proxy that `TRUST_PROXY` names.
 */
export function clientAddress(app: Express): (request: IncomingMessage) => string {
  const trusts = app.get('trust proxy fn') as (address: string, hop: number) => boolean
  return ({ socket, headers }) => {
    const forwarded = String(headers['x-forwarded-for'] ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean)
    const hops = [socket.remoteAddress ?? '', ...forwarded.toReversed()]
    const client = hops.find((address, hop) => hop === hops.length - 1 || !trusts(address, hop))
    return client ?? ''
  }
}
