import type { Refused } from '../batches/bisect.ts'
import { describeFailure, type Failure, NamedFailure } from '../errors/failure.ts'
import { isOutage } from '../errors/outage.ts'
import type { Outgoing } from './outgoing.ts'
import { orAborted, pause } from '../time/pause.ts'
import type { Publisher } from './publisher.ts'
import type { Sink } from './sink.ts'

/** Waits before a message that a broker queue refused is sent to it again; then it is given up here. */
const triesAfterMs = [300, 1_200]
/** After that further refusals are believed at once, until there was none for so long. */
const believedMs = 60_000

/**
 * Tells RabbitMQ: at least once, in order of position. A batch that was not confirmed to its end is sent again from
 * the first message that was not, so the latest sending of a user's events is always in their order. A message that the
 * broker refuses (nack) says nothing about the others: whoever binds a queue that rejects must not keep everybody else's
 * news, so it alone is tried again a few times, then refused, and the stream goes on. A broker that takes nothing at all
 * for now is waited for.
 */
export function createRabbitMqSink({ publisher }: { publisher: Publisher }): Sink {
  let rejectedAt = Number.NEGATIVE_INFINITY
  let rejection: Failure | undefined
  const isRejecting = () => performance.now() - rejectedAt < believedMs

  /**
   * @param confirmed told of each position, in order, up to the first that is refused
   * @throws when the broker is away
   */
  async function send(
    batch: readonly Outgoing[],
    confirmed: (position: number) => void,
    signal: AbortSignal
  ): Promise<Refused<Outgoing>[]> {
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

  return {
    name: 'rabbitmq',
    trouble: () => (isRejecting() ? rejection : undefined),
    async deliver(batch, confirmed, signal) {
      await publisher.ready(signal)
      if (signal.aborted) return undefined
      let refused = await send(batch, confirmed, signal)
      for (const ms of isRejecting() ? [] : triesAfterMs) {
        if (!refused.some(isRejection)) break
        await pause(ms, signal)
        if (signal.aborted) return undefined
        const again = refused.filter(isRejection).map(({ member }) => member)
        const rest = refused.filter((one) => !isRejection(one))
        refused = [...rest, ...(await send(again, () => undefined, signal))]
      }
      const rejected = refused.find(isRejection)
      if (rejected) {
        rejectedAt = performance.now()
        rejection = describeFailure(rejected.error)
      }
      return refused
    }
  }
}

const isRejection = ({ error }: Refused<Outgoing>) => error instanceof NamedFailure && error.code === 'broker_rejected'
