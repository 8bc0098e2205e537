import { z } from 'zod'
import { recordTimes } from './text.ts'

export const threadSchema = z.object({ id: z.uuid(), title: z.string(), ...recordTimes }).meta({ id: 'Thread' })
export type ThreadView = z.infer<typeof threadSchema>

export const threadMessageSchema = z.object({
  role: z.enum(['user', 'assistant']),
  content: z.string(),
  jobId: z.uuid(),
  createdAt: z.iso.datetime()
})
export type ThreadMessage = z.infer<typeof threadMessageSchema>

export const threadWithMessagesSchema = threadSchema
  .extend({ messages: z.array(threadMessageSchema).describe('in their order; the latest 1,000') })
  .meta({ id: 'ThreadWithMessages' })
export type ThreadWithMessages = z.infer<typeof threadWithMessagesSchema>
