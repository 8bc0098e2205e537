import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { isPublic } from './public-address.ts'

/** How long a name may take; what leads nowhere always takes as long, so that its time tells nothing. */
const deadlineMs = 3_000

/**
 * The addresses of a name that somebody chose, if all of them are public: one that is not makes the name suspect as a
 * whole. The name server is asked directly (c-ares). `getaddrinfo` would wait for a silent one in a thread of a pool of
 * four that files and passwords share; it would also know the hosts file, and with it names of this machine's own.
 * @param servers name servers to ask, the system's unless given
 * @returns IPv4 first; empty, and not before the deadline, for a name that leads nowhere or to what is not public: who
 *   chose the name must not learn which
 */
export async function resolvePublic(
  hostname: string,
  { servers, withinMs = deadlineMs }: { servers?: string[]; withinMs?: number } = {}
): Promise<LookupAddress[]> {
  const began = performance.now()
  const addresses = await ask(hostname, servers, withinMs)
  if (addresses.length > 0 && addresses.every(({ address }) => isPublic(address))) return addresses
  await pause(Math.max(0, withinMs - (performance.now() - began)))
  return []
}

/** One resolver for each name: cancelling is all or nothing. */
async function ask(hostname: string, servers: string[] | undefined, withinMs: number): Promise<LookupAddress[]> {
  const resolver = new Resolver({ timeout: Math.ceil(withinMs / 3), tries: 2 })
  if (servers) resolver.setServers(servers)
  const late = setTimeout(() => resolver.cancel(), withinMs)
  try {
    const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
    const found = (outcome: PromiseSettledResult<string[]>, family: 4 | 6) =>
      outcome.status === 'fulfilled' ? outcome.value.map((address) => ({ address, family })) : []
    return [...found(four, 4), ...found(six, 6)]
  } finally {
    clearTimeout(late)
  }
}
