import { z } from 'zod'

/** An event as it goes out, by `ws`, SSE, RabbitMQ and webhook alike (CloudEvents 1.0, JSON format). */
export const cloudEventSchema = z
  .object({
    specversion: z.literal('1.0'),
    id: z.uuid(),
    source: z.string(),
    type: z.string(),
    subject: z.string().optional().describe("the record's or job's id; absent when it tells about neither"),
    time: z.iso.datetime(),
    datacontenttype: z.literal('application/json'),
    data: z.unknown()
  })
  .meta({ id: 'CloudEvent' })
export type CloudEvent = z.infer<typeof cloudEventSchema>
