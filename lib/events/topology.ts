import type { Channel } from 'amqplib'

/** Bounds of the broker queue that keeps what nobody asked for; the oldest go first. */
const unroutedMessages = 10_000
const unroutedBytes = 64 * 1024 * 1024

/** `goals.events` → `goals.unrouted`; an exchange of another form gets `.unrouted` added. */
export const unroutedName = (exchange: string): string => `${exchange.replace(/\.events$/, '')}.unrouted`

/**
 * The exchange for news, and where messages go that no binding matches: an alternate exchange with one bounded queue.
 * Safe to repeat; fails when either exists in another form.
 */
export async function assertTopology(channel: Channel, exchange: string): Promise<void> {
  const unrouted = unroutedName(exchange)
  await channel.assertExchange(unrouted, 'fanout', { durable: true })
  await channel.assertQueue(unrouted, {
    durable: true,
    maxLength: unroutedMessages,
    overflow: 'drop-head',
    arguments: { 'x-max-length-bytes': unroutedBytes }
  })
  await channel.bindQueue(unrouted, unrouted, '')
  await channel.assertExchange(exchange, 'topic', { durable: true, alternateExchange: unrouted })
}
