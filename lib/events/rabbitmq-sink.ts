import { orAborted } from './pause.ts'
import type { Publisher } from './publisher.ts'
import type { Sink } from './sink.ts'

/**
 * Tells RabbitMQ: at least once, in order of position. A batch that was not confirmed to its end is sent again from
 * the first message that was not, so the latest sending of a user's events is always in their order.
 */
export function createRabbitMqSink({ publisher }: { publisher: Publisher }): Sink {
  return {
    name: 'rabbitmq',
    async deliver(batch, confirmed, signal) {
      await publisher.ready(signal)
      if (signal.aborted) return
      const confirms = batch.map(async ({ position, event }) => {
        await publisher.publish({ id: event.id, routingKey: event.type, position, body: JSON.stringify(event) })
        return position
      })
      // Also after a failure: what is still on its way must not arrive between the messages of the next try.
      const settled = Promise.allSettled(confirms)
      const inOrder = async () => {
        for (const confirm of confirms) confirmed(await confirm)
      }
      try {
        await orAborted(inOrder(), signal)
      } finally {
        await orAborted(settled, signal)
      }
    }
  }
}
