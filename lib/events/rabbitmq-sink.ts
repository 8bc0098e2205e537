import type { Refused } from '../batches/bisect.ts'
import { isOutage } from '../outage.ts'
import type { Outgoing } from './outgoing.ts'
import { orAborted } from './pause.ts'
import type { Publisher } from './publisher.ts'
import type { Sink } from './sink.ts'

/**
 * Tells RabbitMQ: at least once, in order of position. A batch that was not confirmed to its end is sent again from
 * the first message that was not, so the latest sending of a user's events is always in their order. A message that the
 * broker refuses (nack) says nothing about the others.
 */
export function createRabbitMqSink({ publisher }: { publisher: Publisher }): Sink {
  return {
    name: 'rabbitmq',
    async deliver(batch, confirmed, signal) {
      await publisher.ready(signal)
      if (signal.aborted) return undefined
      const confirms = batch.map(({ position, event, body }) =>
        publisher.publish({ id: event.id, routingKey: event.type, position, body })
      )
      // Also after a failure: what is still on its way must not arrive between the messages of the next try.
      const settled = Promise.allSettled(confirms)
      const refused: Refused<Outgoing>[] = []
      const inOrder = async () => {
        for (const [i, confirm] of confirms.entries()) {
          const member = batch[i] as Outgoing
          try {
            await confirm
            if (refused.length === 0) confirmed(member.position)
          } catch (error) {
            if (isOutage(error)) throw error
            refused.push({ member, error })
          }
        }
      }
      try {
        await orAborted(inOrder(), signal)
      } finally {
        await orAborted(settled, signal)
      }
      return refused
    }
  }
}
