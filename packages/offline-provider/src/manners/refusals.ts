import type { Json } from '../check.ts'
import { Refusal } from '../errors.ts'
import { defineManners, type Manner } from './manner.ts'

/** A refusal in a server's own words. */
function answer(status: number, body: unknown): Refusal {
  return new Refusal(status, { message: 'refused', type: 'invalid_request_error', param: null, code: null }, {}, body)
}

/** As OpenAI says it, with `param`. */
const named = (param: string, message: string, code = 'unsupported_parameter') =>
  answer(400, { error: { message, type: 'invalid_request_error', param, code } })

/** As pydantic says it, without an `error` around it: Mistral. */
const extra = (...names: string[]) =>
  answer(422, {
    object: 'error',
    message: {
      detail: names.map((name) => ({
        type: 'extra_forbidden',
        loc: ['body', name],
        msg: 'Extra inputs are not permitted'
      }))
    },
    type: 'invalid_request_error',
    param: null,
    code: null
  })

/** Refuses what has one of these parameters; what is left is served. */
function refuses(refusal: (present: string[]) => Refusal, ...names: string[]): Pick<Manner, 'request' | 'tells'> {
  return {
    tells: true,
    request(body) {
      const present = names.filter((name) => body[name] !== undefined)
      if (present.length > 0) throw refusal(present)
      return obeyed(renamed(body))
    }
  }
}

/** Such servers know the limit by its older name, which here is refused with newer models. */
function renamed({ max_tokens: limit, ...body }: Json): Json {
  return limit === undefined ? body : { ...body, max_completion_tokens: limit }
}

/** A schema in the instructions is obeyed, as a good model does. */
function obeyed(body: Json): Json {
  const [first] = (Array.isArray(body['messages']) ? body['messages'] : []) as { role?: unknown; content?: unknown }[]
  const told = first?.role === 'system' ? /JSON schema[^\n]*:\n```json\n(.+)\n```$/.exec(String(first.content)) : null
  if (!told || body['response_format'] !== undefined) return body
  const schema = JSON.parse(told[1] as string) as Json
  return { ...body, response_format: { type: 'json_schema', json_schema: { name: 'told', strict: true, schema } } }
}

/** What servers refuse that the API takes, each in the words of one that does. */
export const refusalManners = defineManners({
  'refuses-max-completion-tokens': {
    about: '422 for `max_completion_tokens`, as Mistral says it',
    ...refuses(() => extra('max_completion_tokens'), 'max_completion_tokens')
  },
  'refuses-limits': {
    about: '400 for each name of the limit of tokens, one after the other',
    ...refuses(
      ([name = '']) => named(name, `Unsupported parameter: '${name}' is not supported with this model.`),
      'max_completion_tokens',
      'max_tokens'
    )
  },
  'refuses-stream-options': {
    about: '400 for `stream_options` without `param`, as older Azure says it',
    ...refuses(
      () =>
        answer(400, {
          error: {
            message: 'Unrecognized request argument supplied: stream_options',
            type: 'invalid_request_error',
            param: null,
            code: null
          }
        }),
      'stream_options'
    )
  },
  'refuses-streaming': {
    about: '400 for streaming, as OpenAI says it to organizations that are not verified',
    ...refuses(
      () => named('stream', 'Your organization must be verified to stream this model.', 'unsupported_value'),
      'stream'
    )
  },
  'refuses-parallel-tool-calls': {
    about: '400 for `parallel_tool_calls`, as OpenAI says it of o3-mini',
    ...refuses(
      () =>
        named('parallel_tool_calls', "Unsupported parameter: 'parallel_tool_calls' is not supported with this model."),
      'parallel_tool_calls'
    )
  },
  'refuses-tool-choice': {
    about: '404 for `tool_choice`, as OpenRouter says it',
    ...refuses(
      () =>
        answer(404, {
          error: { message: "No endpoints found that support the provided 'tool_choice' value.", code: 404 }
        }),
      'tool_choice'
    )
  },
  'refuses-response-format': {
    about: '400 for `response_format`, as DeepSeek says it; a schema in the instructions is obeyed',
    ...refuses(
      () =>
        answer(400, {
          error: {
            message: 'This response_format type is unavailable now',
            type: 'invalid_request_error',
            param: null,
            code: 'invalid_request_error'
          }
        }),
      'response_format'
    )
  },
  'refuses-encoding-format': {
    about: '400 for base64 without naming the parameter, as older vLLM says it',
    ...refuses(
      () =>
        answer(400, {
          object: 'error',
          message: 'base64 encoding is not currently supported',
          type: 'BadRequestError',
          param: null,
          code: 400
        }),
      'encoding_format'
    )
  },
  'refuses-all-at-once': {
    about: '400 that names every parameter at once, as LiteLLM says it',
    ...refuses(
      (names) =>
        answer(400, {
          error: {
            message: `litellm.UnsupportedParamsError: mistral does not support parameters: {${names.map((name) => `'${name}': ...`).join(', ')}}, for model=x. To drop these, set litellm.drop_params=True`,
            type: 'None',
            param: null,
            code: '400'
          }
        }),
      'max_completion_tokens',
      'stream_options',
      'parallel_tool_calls',
      'tool_choice',
      'response_format',
      'encoding_format'
    )
  },
  'refuses-one-by-one': {
    about: '422 for one parameter after the other',
    ...refuses(
      ([first = '']) => extra(first),
      'stream_options',
      'max_completion_tokens',
      'parallel_tool_calls',
      'response_format',
      'encoding_format'
    )
  },
  'limit-too-large': {
    about: '400 for a limit that the context has no room for, as vLLM says it',
    tells: true,
    request(body) {
      const limit = Number(body['max_completion_tokens'] ?? body['max_tokens'])
      if (Number.isNaN(limit)) return obeyed(body)
      throw answer(400, {
        error: {
          message: `'max_tokens' or 'max_completion_tokens' is too large: ${limit}. This model's maximum context length is 64 tokens and your request has 30 input tokens (${limit} > 64 - 30). (parameter=max_tokens, value=${limit})`,
          type: 'BadRequestError',
          param: 'max_tokens',
          code: 400
        }
      })
    }
  },
  'no-tools': {
    about: '400 for tools, as Ollama says it of models without them',
    tells: true,
    request(body) {
      if (body['tools'] === undefined) return body
      throw answer(400, {
        error: { message: 'registry/library/x does not support tools', type: 'api_error', param: null, code: null }
      })
    }
  }
})
