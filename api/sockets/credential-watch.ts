import type { Redis } from 'ioredis'
import { revokedChannel } from '../../lib/auth/revocations.ts'
import type { Logger } from '../../lib/logger.ts'
import type { CredentialsInForce } from '../../lib/store/credentials-in-force.ts'
import type { Connection } from './connection.ts'
import { closeCodes } from './limits.ts'

/** Ends connections whose credential is revoked or runs out, within a second. */
export type CredentialWatch = {
  start(): void
  stop(): Promise<void>
  add(connection: Connection): void
  remove(connection: Connection): void
}

const lookEveryMs = 600

/**
 * Looks all credentials up in one query at short intervals, and at once when a revocation is published. Roles that have
 * changed are passed on. While Postgres is away connections stay: nothing can be read through them then either.
 */
export function createCredentialWatch({
  subscriber,
  prefix,
  inForce,
  log
}: {
  subscriber: Redis
  prefix: string
  inForce: CredentialsInForce
  log: Logger
}): CredentialWatch {
  const channel = revokedChannel(prefix)
  const connections = new Map<string, Set<Connection>>()
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  let again = false

  async function lookOnce(): Promise<void> {
    const held = [...connections.values()].flatMap((own) => [...own].slice(0, 1))
    if (held.length === 0) return
    const roles = await inForce(held.map(({ actor }) => actor.credential))
    for (const { actor } of held) {
      const role = roles.get(actor.credential.id)
      for (const connection of connections.get(actor.credential.id) ?? []) {
        if (role === undefined) connection.close(closeCodes.credentialsGone, 'credentials no longer valid')
        else if (role !== connection.actor.role) connection.changeRole(role)
      }
    }
  }

  function look(): void {
    again = true
    looking ??= (async () => {
      while (again) {
        again = false
        await lookOnce().catch((error: unknown) => log.warn({ err: error }, 'credentials could not be looked up'))
      }
      looking = undefined
    })()
  }

  const onMessage = (from: string) => {
    if (from === channel && connections.size > 0) look()
  }

  return {
    start() {
      subscriber.on('message', onMessage)
      subscriber
        .subscribe(channel)
        .catch((error: unknown) => log.warn({ err: error }, 'revocations come by looking only'))
      timer = setInterval(() => {
        if (!looking) look()
      }, lookEveryMs)
    },
    async stop() {
      clearInterval(timer)
      subscriber.off('message', onMessage)
      await looking
    },
    add(connection) {
      const { id } = connection.actor.credential
      connections.set(id, (connections.get(id) ?? new Set()).add(connection))
    },
    remove(connection) {
      const { id } = connection.actor.credential
      const own = connections.get(id)
      own?.delete(connection)
      if (own?.size === 0) connections.delete(id)
    }
  }
}
