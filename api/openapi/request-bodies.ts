import { z } from 'zod'
import { bulkInputSchema, bulkRecordSchemas, maxBulkRecords } from '../../lib/schemas/bulk.ts'
import { ragInputSchema, ragToolSchemas } from '../../lib/schemas/rag.ts'

const list = <T extends z.ZodType>(record: T) => z.array(record).max(maxBulkRecords).optional()

/**
 * What to show for bodies whose schema hides its shape behind a transformation: the same shape, drawn for reading.
 * Everything else is shown by the schema that checks it.
 */
const drawn = new Map<z.ZodType, z.ZodType>([
  [
    ragInputSchema,
    z
      .union([
        ragToolSchemas.search_knowledge_base.safeExtend({ tool: z.literal('search_knowledge_base').optional() }),
        ragToolSchemas.get_similar_goals.safeExtend({ tool: z.literal('get_similar_goals') }),
        ragToolSchemas.get_similar_code.safeExtend({ tool: z.literal('get_similar_code') }),
        ragToolSchemas.get_course_documentation.safeExtend({ tool: z.literal('get_course_documentation') }),
        ragToolSchemas.get_task_context.safeExtend({ tool: z.literal('get_task_context') })
      ])
      .meta({ id: 'RagSearch' })
  ],
  [
    bulkInputSchema,
    z
      .strictObject({
        courses: list(bulkRecordSchemas.courses),
        goals: list(bulkRecordSchemas.goals),
        tasks: list(bulkRecordSchemas.tasks),
        codeSnapshots: list(bulkRecordSchemas.codeSnapshots),
        documents: list(bulkRecordSchemas.documents)
      })
      .describe(`At most ${maxBulkRecords} records in all. Each is checked when the job runs.`)
      .meta({ id: 'Bulk' })
  ]
])

export const drawnBody = (schema: z.ZodType): z.ZodType => drawn.get(schema) ?? schema
