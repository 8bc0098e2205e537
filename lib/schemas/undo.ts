import { z } from 'zod'
import { changeableTypes } from './chat.ts'

const record = { type: z.enum(changeableTypes), id: z.uuid() }

/** `POST /jobs/:id/undo` */
export const undoResultSchema = z
  .object({
    undone: z.array(z.object(record)).describe('records that are what they were before, or gone again'),
    kept: z.array(z.object({ ...record, reason: z.string() })).describe('records that stay as they are')
  })
  .meta({ id: 'UndoResult' })
export type UndoResult = z.infer<typeof undoResultSchema>
