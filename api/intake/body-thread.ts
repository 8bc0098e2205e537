import type { AiAction } from '../../lib/actions/actions.ts'
import { JsonText } from '../../lib/text/json-text.ts'
import { inputHash } from '../../lib/models/input-hash.ts'
import { answerInThread, Moved } from '../../lib/sharing/answer-in-thread.ts'
import type { BodyAnswer, BodyQuestion } from './body-threads.ts'
import { checkBody } from './check-body.ts'
import { parseBody } from './parse-body.ts'

/** Loaded when the first body comes that is checked here. */
const schemaOf = async (action: AiAction) => (await import('../../lib/actions/actions.ts')).actionOf(action).input

/** Entry of a thread that parses large bodies. */
answerInThread(
  async ({ pieces, checkAs, hash }: BodyQuestion): Promise<BodyAnswer | Moved<BodyAnswer>> => {
    const parsed = parseBody(pieces)
    if ('problem' in parsed) return parsed
    const { value } = parsed
    const hashed = hash ? { hash: inputHash(value) } : {}
    if (checkAs === undefined) return { value, ...hashed }
    const checked = checkBody(await schemaOf(checkAs), value)
    if ('errors' in checked) return { errors: checked.errors }
    const json = JsonText.bytesOf(checked.value)
    return new Moved({ json, ...hashed }, [json.buffer])
  },
  { givesWay: true }
)
