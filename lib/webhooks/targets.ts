import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** A host that may not be reached: `address_refused` when its address is not a public one. */
export class TargetError extends Error {
  readonly code = 'address_refused'
  override name = 'TargetError'
}

/**
 * Which hosts webhooks may reach. Whoever writes a URL chooses where this machine connects to, so only public unicast
 * addresses are allowed: nothing private, shared, loopback, link-local, mapped, translated or reserved.
 */
export type Targets = {
  /** @throws TargetError when the host of the URL is written as an address that may not be reached */
  checkLiteral(url: URL): void
  /**
   * Resolves a name and checks what came of it. A connection that uses this goes to an address that was checked:
   * nothing is resolved a second time.
   */
  lookupFor(url: URL): LookupFunction
}

/** @param allow hosts (`host` or `host:port`) that may be reached wherever they are */
export function createTargets({ allow }: { allow: string[] }): Targets {
  const allowed = new Set(allow.map((host) => host.toLowerCase()))
  const isAllowed = ({ host, hostname }: URL) =>
    [host, hostname, bare(hostname)].some((name) => allowed.has(name.toLowerCase()))

  return {
    checkLiteral(url) {
      const host = bare(url.hostname)
      if (isAllowed(url) || !ipaddr.isValid(host)) return
      if (!isPublic(host)) throw new TargetError('the address is not a public one')
    },
    lookupFor: (url) => (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, '')
        // One address that is not public makes the name suspect as a whole.
        if (!isAllowed(url) && addresses.some(({ address }) => !isPublic(address))) {
          return callback(new TargetError('the name leads to an address that is not a public one'), '')
        }
        const [first] = addresses
        if (!first) return callback(new Error('the name leads nowhere'), '')
        if (options.all) callback(null, addresses)
        else callback(null, first.address, first.family)
      })
    }
  }
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/** Whether an address belongs to the public internet (IANA's special-purpose registries, by `ipaddr.js`). */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  // Of IPv6 only 2000::/3 is given out at all; the rest includes forms that hold an IPv4 address.
  return parsed.kind() === 'ipv4' || ((parsed.toByteArray()[0] ?? 0) & 0xe0) === 0x20
}
