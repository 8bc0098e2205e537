import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { orAborted } from '../../lib/time/pause.ts'
import type { Probe, ProbeResult } from './health.ts'

const answerMs = 1_500

type Line = {
  model: ChannelModel
  channel: ConfirmChannel
  queue: string
  /** why the broker takes nothing for now, in its own words; it says so when it has been sent something */
  blocked?: string | undefined
  onBlocked: () => void
}

/**
 * Publishes to a queue of its own and waits for the confirm, over a connection that is kept while it lasts. A broker
 * that is short of memory or disk lets everybody in, and takes no messages: `degraded`.
 * @param url `off` when there is none
 */
export function createBrokerProbe({ url }: { url: string }): { probe: Probe; close: () => Promise<void> } {
  let opening: Promise<Line> | undefined
  let asking: Promise<ProbeResult> | undefined

  function current(): Promise<Line> {
    if (opening) return opening
    const forget = () => {
      if (opening === mine) opening = undefined
    }
    const mine = open(url, forget)
    mine.catch(forget)
    opening = mine
    return mine
  }

  async function ask(): Promise<ProbeResult> {
    const line = await current()
    if (line.blocked === undefined) {
      const late = AbortSignal.timeout(answerMs)
      const hint = new Promise<void>((resolve) => {
        line.onBlocked = resolve
      })
      const confirmed = publish(line).then(() => true)
      const answered = Promise.race([confirmed, hint])
      await orAborted(answered, late)
      confirmed.catch(() => undefined) // told by the race, or lost with the connection
      if (line.blocked === undefined && late.aborted) {
        opening = undefined
        destroy(line.model)
        return { state: 'down' }
      }
    }
    return line.blocked === undefined ? { state: 'ok' } : { state: 'degraded', problem: 'blocked', alarm: line.blocked }
  }

  return {
    async probe() {
      if (url === 'off') return { state: 'off' }
      asking ??= ask().finally(() => {
        asking = undefined
      })
      return await asking
    },
    async close() {
      const line = await opening?.catch(() => undefined)
      opening = undefined
      if (line?.blocked !== undefined) destroy(line.model)
      else await line?.model.close().catch(() => undefined) // a broker that is away has closed it already
    }
  }
}

async function open(url: string, forget: () => void): Promise<Line> {
  // Loaded when there is a broker to ask.
  const { connect } = await import('amqplib')
  const model = await connect(url, { timeout: answerMs, clientProperties: { connection_name: 'goals health' } })
  model.on('error', forget) // without a listener the event would end the process
  model.on('close', forget)
  const channel = await model.createConfirmChannel()
  channel.on('error', () => undefined) // its end is told by the connection
  channel.on('close', () => {
    forget()
    model.close().catch(() => undefined)
  })
  const { queue } = await channel.assertQueue('', { exclusive: true, durable: false, maxLength: 1 })
  const line: Line = { model, channel, queue, onBlocked: () => undefined }
  model.on('blocked', (reason: string) => {
    line.blocked = reason
    line.onBlocked()
  })
  model.on('unblocked', () => {
    line.blocked = undefined
  })
  return line
}

/** Resolves with the confirm. One message is kept, the older ones fall out. */
async function publish({ channel, queue }: Line): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    channel.sendToQueue(queue, Buffer.alloc(0), {}, (error: Error | null) => (error ? reject(error) : resolve()))
  })
}

/** It does not read what it is sent, a goodbye neither. */
const destroy = (model: ChannelModel) => (Reflect.get(model.connection, 'stream') as { destroy(): void }).destroy()
