/** Bounds of one connection, and of one person's connections. */
export type SocketLimits = {
  messageBytes: number
  messagesPerSecond: number
  subscriptions: number
  /** over all processes */
  connectionsOfUser: number
  unsentBytes: number
  pingMs: number
}

/** What the contract says (section 3). */
export const socketLimits: SocketLimits = {
  messageBytes: 64 * 1024,
  messagesPerSecond: 20,
  subscriptions: 100,
  connectionsOfUser: 20,
  unsentBytes: 1024 * 1024,
  pingMs: 25_000
}

/** Close codes: 4000 to 4999 are for applications (RFC 6455, 7.4.2), the others are the protocol's own. */
export const closeCodes = {
  goingAway: 1001,
  credentialsGone: 4001,
  tooSlow: 4008,
  tooManyMessages: 4013
} as const
