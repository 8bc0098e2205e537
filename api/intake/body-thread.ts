import { JsonText } from '../../lib/text/json-text.ts'
import { inputHash } from '../../lib/models/input-hash.ts'
import { answerInThread, Moved } from '../../lib/sharing/answer-in-thread.ts'
import type { BodyAnswer, BodyQuestion } from './body-threads.ts'
import { checkBody } from './check-body.ts'
import { parseBody } from './parse-body.ts'

/** Schemas that are applied here; loaded when the first body comes that is checked by them. */
const schemas = {
  bulk: async () => (await import('../../lib/schemas/bulk.ts')).bulkInputSchema
}

/** Entry of a thread that parses large bodies. */
answerInThread(
  async ({ pieces, checkAs, hash }: BodyQuestion): Promise<BodyAnswer | Moved<BodyAnswer>> => {
    const parsed = parseBody(pieces)
    if ('problem' in parsed) return parsed
    const { value } = parsed
    const hashed = hash ? { hash: inputHash(value) } : {}
    if (checkAs === undefined) return { value, ...hashed }
    const checked = checkBody(await schemas[checkAs](), value)
    if ('errors' in checked) return { errors: checked.errors }
    const json = JsonText.bytesOf(checked.value)
    return new Moved({ json, ...hashed }, [json.buffer])
  },
  { givesWay: true }
)
