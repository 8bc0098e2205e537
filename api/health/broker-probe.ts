import { type ChannelModel, connect } from 'amqplib'
import type { Probe } from './health.ts'

/**
 * Asks RabbitMQ for a channel over a connection that is kept while it lasts: the shortest question that the broker itself
 * has to answer.
 * @param url `off` when there is none
 */
export function createBrokerProbe({ url }: { url: string }): { probe: Probe; close: () => Promise<void> } {
  let opening: Promise<ChannelModel> | undefined

  function connection(): Promise<ChannelModel> {
    if (opening) return opening
    const mine = connect(url, { timeout: 1_500, clientProperties: { connection_name: 'goals health' } }).then(
      (model) => {
        const forget = () => {
          if (opening === mine) opening = undefined
        }
        model.on('error', forget) // without a listener the event would end the process
        model.on('close', forget)
        return model
      }
    )
    mine.catch(() => {
      if (opening === mine) opening = undefined
    })
    opening = mine
    return mine
  }

  return {
    async probe() {
      if (url === 'off') return { state: 'off' }
      const model = await connection()
      const channel = await model.createChannel()
      channel.on('error', () => undefined) // its end is told by the connection
      await channel.close()
      return { state: 'ok' }
    },
    async close() {
      const model = await opening?.catch(() => undefined)
      opening = undefined
      await model?.close().catch(() => undefined) // a broker that is away has closed it already
    }
  }
}
