import { connect } from 'amqplib'
import type { EventStage } from './event-stage.ts'

export type BrokerMessageHeard = {
  id: string
  routingKey: string
  position: number
  contentType: string
  persistent: boolean
  event: Record<string, unknown> & { id: string }
}

/** Binds a broker queue to the stage's exchange and keeps everything that arrives. The exchange must be there. */
export async function listenToBroker(
  { isolation, closeFirst }: Pick<EventStage, 'isolation' | 'closeFirst'>,
  pattern = '#',
  queueName?: string
): Promise<BrokerMessageHeard[]> {
  const heard: BrokerMessageHeard[] = []
  const connection = await connect(isolation.rabbitmqUrl)
  closeFirst(() => connection.close())
  const channel = await connection.createChannel()
  let queue = queueName
  if (queue === undefined) {
    ;({ queue } = await channel.assertQueue('', { exclusive: true }))
    await channel.bindQueue(queue, isolation.exchange, pattern)
  }
  await channel.consume(
    queue,
    (message) => {
      if (!message) return
      const { properties, fields, content } = message
      heard.push({
        id: properties.messageId,
        routingKey: fields.routingKey,
        position: properties.headers?.position,
        contentType: properties.contentType,
        persistent: properties.deliveryMode === 2,
        event: JSON.parse(content.toString())
      })
    },
    { noAck: true }
  )
  return heard
}
