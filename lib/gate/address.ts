import { isIPv6 } from 'node:net'

/**
 * What counts as one address: an IPv4 address (also one written as IPv6), or the /64 network of an IPv6 address,
 * because a single subscriber is given at least that many of them (RFC 6177) and could use each only once.
 * @returns a short text for keys; what is no address at all is one group of its own
 */
export function addressGroup(address: string): string {
  const [text = ''] = address.split('%')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)
  if (mapped?.[1]) return mapped[1]
  if (!isIPv6(text)) return text.slice(0, 45) || 'unknown'

  const [head = '', tail] = text.split('::')
  const left = groups(head)
  const right = groups(tail ?? '')
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0')
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`
}

/** A dotted tail stands for two groups; it is never among the first four, so its value does not matter. */
function groups(part: string): string[] {
  if (part === '') return []
  return part
    .split(':')
    .flatMap((group) => (group.includes('.') ? ['0', '0'] : [Number.parseInt(group, 16).toString(16)]))
}
