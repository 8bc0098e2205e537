import type { ConnectionLimits } from '../connection-slots.ts'

/** Bounds of one connection, and of how many there are. */
export type SocketLimits = ConnectionLimits & {
  messageBytes: number
  /** control frames, pings and pongs, are messages too */
  messagesPerSecond: number
  fragmentsOfMessage: number
  subscriptions: number
  unsentBytes: number
  pingMs: number
}

/** What the contract says (section 3). */
export const socketLimits: SocketLimits = {
  messageBytes: 64 * 1024,
  messagesPerSecond: 20,
  fragmentsOfMessage: 64,
  subscriptions: 100,
  connectionsOfUser: 20,
  connectionsOfAddress: 200,
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
