import { setTimeout as delay } from 'node:timers/promises'
import { type ChannelModel, connect } from 'amqplib'
import { type Finding, findingsOf, placeOf, reasonOf } from './findings.ts'

/** A connection and a confirm take milliseconds; a broker that needs longer is in trouble, or its machine is. */
const answerMs = 8_000

/** Looks at the broker: whether it lets us in, which version it is, and whether it takes a message. */
export async function examineRabbitmq(url: string): Promise<Finding[]> {
  const { findings, ok, todo } = findingsOf('rabbitmq')
  let connection: ChannelModel
  try {
    connection = await connect(url, { timeout: answerMs })
  } catch (error) {
    const hint = 'Start RabbitMQ, set RABBITMQ_URL to one that answers, or to off.'
    todo('reachable', `${placeOf(url)}: ${reasonOf(error)}`, hint)
    return findings
  }
  connection.on('error', () => undefined) // told by what is asked next
  ok('reachable', placeOf(url))
  const { version } = (connection.connection as { serverProperties?: { version?: unknown } }).serverProperties ?? {}
  const [major = 0, minor = 0] = String(version).split('.').map(Number)
  if (major > 3 || (major === 3 && minor >= 10)) ok('version', `RabbitMQ ${String(version)}`)
  else todo('version', `RabbitMQ ${String(version)}`, 'RabbitMQ 3.10 or newer is needed: upgrade it.')
  try {
    const taken = await takesMessages(connection)
    if (taken === true) ok('messages', 'it takes them')
    else todo('messages', taken, 'Give RabbitMQ memory or disk: an alarm of it stops every publisher.')
  } catch (error) {
    todo('messages', reasonOf(error), 'Let its user make and write queues; the log of RabbitMQ says more.')
  }
  // One that takes nothing does not read a goodbye either.
  await Promise.race([connection.close().catch(() => undefined), delay(1_000, undefined, { ref: false })])
  return findings
}

/** Sends a message to a queue of its own that goes away with the connection. @returns true, or why it is not taken */
async function takesMessages(connection: ChannelModel): Promise<true | string> {
  const blocked = new Promise<string>((resolve) => {
    connection.on('blocked', (reason: string) => resolve(`it takes none: ${String(reason).slice(0, 100)}`))
  })
  const confirmed = (async (): Promise<true> => {
    const channel = await connection.createConfirmChannel()
    channel.on('error', () => undefined) // told by what is asked next
    const { queue } = await channel.assertQueue('', { exclusive: true, durable: false, maxLength: 1 })
    channel.sendToQueue(queue, Buffer.alloc(0))
    await channel.waitForConfirms()
    return true
  })()
  return await Promise.race([
    confirmed,
    blocked,
    delay(answerMs, `it confirms none within ${answerMs / 1_000} s`, { ref: false })
  ])
}
