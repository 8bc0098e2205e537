import type { Request, Response } from 'express'
import { z } from 'zod'
import type { Actor } from '../../lib/access/actor.ts'
import { AppError } from '../../lib/errors/app-error.ts'
import { toCloudEvent } from '../../lib/events/cloud-event.ts'
import type { DeltaFeed } from '../../lib/events/delta-feed.ts'
import type { LoggedEvent } from '../../lib/events/feed.ts'
import { isJobEnd, type JobWaiter } from '../../lib/events/job-waiter.ts'
import { orAborted, pause } from '../../lib/time/pause.ts'
import type { OpenTail } from '../../lib/events/tail.ts'
import { cloudEventSchema } from '../../lib/schemas/cloud-event.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { idParamsSchema, limitSchema, pageOf } from '../../lib/schemas/page.ts'
import type { EventStore } from '../../lib/store/events/events.ts'
import type { ConnectionSlots } from '../connection-slots.ts'
import type { CredentialWatch } from '../credential-watch.ts'
import { type Endpoint, endpoint, type Reply } from '../endpoint.ts'
import { openEventStream, type StreamedEvent } from '../event-stream.ts'
import { addressOf } from '../middleware/rate-limit.ts'

export type JobEventNeeds = {
  /** throws AppError 404 for an unknown or foreign id */
  jobs: { find(actor: Actor, id: string): Promise<JobView> }
  events: Pick<EventStore, 'ofChannel' | 'ends' | 'anyUnplaced'>
  openTail: OpenTail
  deltas: Pick<DeltaFeed, 'follow'>
  waiter: JobWaiter
  watch: Pick<CredentialWatch, 'add' | 'remove'>
  places: Pick<ConnectionSlots, 'enter'>
  /** aborted when the server goes away: streams end, and their clients come back elsewhere */
  goingAway: AbortSignal
}

/** Where a reader was: a position of the log and, once it has seen text of the job, the seq of that: `12` or `12.345`. */
const placeSchema = z
  .string()
  .regex(/^\d{1,15}(\.\d{1,15})?$/, 'must be a position, as `nextCursor` or the last id of the stream gives it')
  .transform((text) => {
    const [position, seq] = text.split('.')
    return { position: Number(position), seq: seq === undefined ? undefined : Number(seq) }
  })
type Place = z.output<typeof placeSchema>

const pushedSchema = z.object({ position: z.int(), event: cloudEventSchema })

const beatMs = 15_000
/** How long the end of a job may be known before its event and its text arrive. Some ends have no event. */
const lastEventMs = 2_000

/** What happened to a job: as a list, or as a stream while it happens. */
export function jobEventEndpoints(needs: JobEventNeeds): Endpoint[] {
  const { jobs, events } = needs
  return [
    endpoint({
      method: 'get',
      path: '/jobs/:id/events',
      summary:
        'Read what happened to a job, oldest first; with `Accept: text/event-stream` also what happens from now on',
      tag: 'Jobs',
      access: 'user',
      params: idParamsSchema,
      query: z.strictObject({
        limit: limitSchema,
        after: placeSchema.optional().describe('only what comes after this position'),
        cursor: placeSchema.optional().describe('the same, under the name that lists have for it')
      }),
      responses: {
        200: { description: 'A page, or a stream of server-sent events', schema: pageOf(pushedSchema) },
        204: { description: 'To a stream: the job has ended and there is nothing more to tell' }
      },
      async handler({ actor, params: { id }, query: { limit, after, cursor }, req, res }): Promise<Reply> {
        const job = await jobs.find(actor, id)
        res.vary('Accept')
        const type = req.accepts(['json', 'text/event-stream'])
        if (!type) throw new AppError('not_acceptable', 'This is told as application/json or text/event-stream')
        if (type === 'text/event-stream') {
          const place = await needs.places.enter('streams', actor.id, addressOf(req))
          try {
            return await stream(needs, { actor, job, after: lastSeen(req) ?? after, res })
          } finally {
            place.leave()
          }
        }

        const { last } = await events.ends()
        const from = after ?? cursor
        const found = await events.ofChannel(`job:${job.id}`, from?.position ?? 0, last, limit + 1)
        const page = found.slice(0, limit)
        const more = found.length > limit ? page.at(-1) : undefined
        return {
          status: 200,
          body: {
            data: page.map((entry) => ({ position: entry.position, event: toCloudEvent(entry) })),
            nextCursor: more ? String(more.position) : null
          }
        }
      }
    })
  ]
}

/** What a browser sends when it comes back to a stream. One that makes no sense is as good as none. */
function lastSeen(req: Request): Place | undefined {
  return placeSchema.safeParse(req.get('last-event-id')).data
}

const hasEnded = ({ status }: JobView) => status !== 'queued' && status !== 'active'

async function stream(
  { jobs, events, openTail, deltas, waiter, watch, goingAway }: JobEventNeeds,
  { actor, job, after, res }: { actor: Actor; job: JobView; after: Place | undefined; res: Response }
): Promise<Reply> {
  const channel = `job:${job.id}`
  let tail = await openTail(channel, after?.position ?? 'start')
  if (!tail.recovered) tail = await openTail(channel, 'start')
  // 204 is what keeps a browser from coming back for ever (HTML standard, 9.2.3).
  if (hasEnded(job) && !(await anythingAfter(tail.position))) return { status: 204 }

  const out = openEventStream(res)
  let position = tail.position
  let seq = after?.seq
  const place = () => (seq === undefined ? String(position) : `${position}.${seq}`)
  const told = Promise.withResolvers<void>()
  const holder = {
    actor,
    revoked: () => out.end(),
    roleChanged(role: Actor['role']) {
      holder.actor = { ...holder.actor, role }
      jobs.find(holder.actor, job.id).catch(() => out.end())
    }
  }

  async function anythingAfter(from: number): Promise<boolean> {
    const { last } = await events.ends()
    const [next] = await events.ofChannel(channel, from, last, 1)
    return next !== undefined || (await events.anyUnplaced(channel))
  }

  watch.add(holder)
  const onGoingAway = () => out.end()
  goingAway.addEventListener('abort', onGoingAway)
  if (goingAway.aborted) onGoingAway()
  const text = deltas.follow(job.id, after?.seq, async ({ type, ...delta }) => {
    seq = delta.seq
    await out.give({ id: place(), type, data: { type, channel, ...delta } })
  })
  const render = (logged: LoggedEvent): StreamedEvent => {
    position = logged.position
    if (isJobEnd(logged.event.type)) told.resolve()
    return { id: place(), type: 'event', data: { type: 'event', channel, ...logged } }
  }
  tail.start({ push: (logged) => out.push(render(logged)), give: (logged) => out.give(render(logged)) })
  try {
    while ((await waiter.wait(job.id, beatMs, out.closed)) === 'timeout' && !out.closed.aborted) out.beat()
    // The end may be known sooner than text that was still to be read.
    const allTold = Promise.all([told.promise, text.catchUp()])
    await orAborted(Promise.race([allTold, pause(lastEventMs, out.closed)]), out.closed)
    return 'streamed'
  } finally {
    tail.stop()
    text.stop()
    watch.remove(holder)
    goingAway.removeEventListener('abort', onGoingAway)
    out.end()
  }
}
