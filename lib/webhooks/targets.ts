import { type LookupAddress, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import ipaddr from 'ipaddr.js'
import { isPublic } from './public-address.ts'
import { resolvePublic } from './resolve-public.ts'

/** A host that may not be reached: it is written as an address that is not a public one, or as this machine's name. */
export class TargetError extends Error {
  readonly code = 'address_refused'
  override name = 'TargetError'
}

/**
 * Which hosts webhooks may reach. Whoever writes a URL chooses where this machine connects to, so only public unicast
 * addresses are allowed: nothing private, shared, loopback, link-local, mapped, translated or reserved.
 */
export type Targets = {
  /**
   * Looks at the host as it is written, and asks nobody about a name: what is said about a URL must not tell which names
   * lead to something inside.
   * @throws TargetError for an address that may not be reached, and for this machine's name (RFC 6761, 6.3)
   */
  checkHost(url: URL): void
  /**
   * Resolves a name and checks what came of it. A connection that uses this goes to an address that was checked:
   * nothing is resolved a second time. A name that leads nowhere, or anywhere but to the public, is `ENOTFOUND`.
   */
  lookupFor(url: URL): LookupFunction
}

/**
 * @param allow hosts (`host` or `host:port`) that may be reached wherever they are
 * @param resolve addresses of a name, all of them public; empty for a name that does not lead to the public
 */
export function createTargets({
  allow,
  resolve = resolvePublic
}: {
  allow: string[]
  resolve?: (hostname: string) => Promise<LookupAddress[]>
}): Targets {
  const allowed = new Set(allow.map((host) => host.toLowerCase()))
  const resolved = callbackify(resolve)
  const isAllowed = ({ host, hostname }: URL) =>
    [host, hostname, bare(hostname)].some((name) => allowed.has(name.toLowerCase()))

  return {
    checkHost(url) {
      const host = bare(url.hostname)
      if (isAllowed(url)) return
      if (ipaddr.isValid(host) ? !isPublic(host) : /(^|\.)localhost\.?$/i.test(host)) {
        throw new TargetError('the address is not a public one')
      }
    },
    lookupFor: (url) => (hostname, options, callback) => {
      // The operator named it, so it may be in the hosts file or have an address that is not public.
      if (isAllowed(url)) return lookup(hostname, options, callback)
      resolved(hostname, (error, addresses) => {
        if (error) return callback(error, '')
        const [first] = addresses
        if (!first) callback(Object.assign(new Error('the name leads to nothing public'), { code: 'ENOTFOUND' }), '')
        else if (options.all) callback(null, addresses)
        else callback(null, first.address, first.family)
      })
    }
  }
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')
