import ipaddr from 'ipaddr.js'

/** Whether an address belongs to the public internet (IANA's special-purpose registries, by `ipaddr.js`). */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  // Of IPv6 only 2000::/3 is given out at all; the rest includes forms that hold an IPv4 address.
  return parsed.kind() === 'ipv4' || ((parsed.toByteArray()[0] ?? 0) & 0xe0) === 0x20
}
