import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'amqplib'
import WebSocket from 'ws'
import type { Learner } from './clients.ts'
import type { Stage } from './stage.ts'

/** What one listener heard: how often each event came, and whether positions ever fell. */
export type Heard = { events: Map<string, number>; lastPosition: number; outOfOrder: number; connections: number }

const newHeard = (): Heard => ({ events: new Map(), lastPosition: 0, outOfOrder: 0, connections: 0 })

/** A durable queue bound to everything, read again after each loss of the connection. Repeats are allowed, gaps are not. */
export async function listenToBroker(stage: Stage): Promise<{ heard: Heard; stop(): Promise<void> }> {
  const heard = newHeard()
  const queue = 'chaos'
  let stopping = false
  let end: (() => Promise<void>) | undefined

  async function follow(ready: () => void): Promise<void> {
    while (!stopping) {
      try {
        const connection = await connect(stage.urls.rabbitmqUrl)
        const closed = new Promise<void>((resolve) => {
          connection.on('error', () => undefined)
          connection.on('close', () => resolve())
        })
        end = () => connection.close()
        const channel = await connection.createChannel()
        channel.on('error', () => undefined)
        await channel.assertQueue(queue, { durable: true })
        await channel.bindQueue(queue, 'goals.events', '#')
        heard.connections += 1
        await channel.consume(queue, (message) => {
          if (!message) return
          const id = String(message.properties.messageId)
          const position = Number(message.properties.headers?.position)
          const known = heard.events.get(id) ?? 0
          // What comes again may come late; what comes for the first time comes in order.
          if (known === 0 && position < heard.lastPosition) heard.outOfOrder += 1
          if (known === 0) heard.lastPosition = Math.max(heard.lastPosition, position)
          heard.events.set(id, known + 1)
          channel.ack(message)
        })
        ready()
        await closed
      } catch {
        await delay(300) // the broker is away
      }
    }
  }
  await new Promise<void>((resolve) => void follow(resolve))
  return {
    heard,
    async stop() {
      stopping = true
      await end?.().catch(() => undefined) // it may be closed already
    }
  }
}

/** A learner's socket on `user:me`, opened again after each loss where it had come to. Neither gaps nor repeats are allowed. */
export async function listenToSocket(
  stage: Stage,
  learner: Learner,
  n: number
): Promise<{ heard: Heard; stop(): void }> {
  const heard = newHeard()
  let stopping = false
  let socket: WebSocket | undefined

  async function follow(ready: () => void): Promise<void> {
    for (let attempt = n; !stopping; attempt++) {
      const url = (stage.apiUrls[attempt % stage.apiUrls.length] as string).replace('http', 'ws')
      const current = new WebSocket(`${url}/ws`, { headers: { authorization: `Bearer ${learner.token}` } })
      socket = current
      const after = heard.lastPosition
      await new Promise<void>((resolve) => {
        current.on('error', () => undefined)
        current.on('close', () => resolve())
        current.on('open', () => {
          heard.connections += 1
          current.send(JSON.stringify({ type: 'subscribe', id: 1, channel: 'user:me', after }))
        })
        current.on('message', (data: Buffer) => {
          const message = JSON.parse(data.toString()) as { type: string; position: number; event: { id: string } }
          if (message.type === 'subscribed') ready()
          if (message.type !== 'event') return
          if (message.position <= heard.lastPosition) heard.outOfOrder += 1
          heard.lastPosition = Math.max(heard.lastPosition, message.position)
          heard.events.set(message.event.id, (heard.events.get(message.event.id) ?? 0) + 1)
        })
      })
      await delay(200)
    }
  }
  await new Promise<void>((resolve) => void follow(resolve))
  return {
    heard,
    stop() {
      stopping = true
      socket?.close()
    }
  }
}
