import type OpenAI from 'openai'

/** The `error` object of OpenAI's API. */
export type ErrorBody = Pick<OpenAI.ErrorObject, 'message' | 'type' | 'param' | 'code'>

/** A refusal that is already in that API's own words. What else is thrown is translated by `errors.ts`. */
export class WireError extends Error {
  readonly status: number
  readonly body: ErrorBody
  readonly headers: Record<string, string>

  constructor(
    status: number,
    { message, type = typeOf(status), param = null, code = null }: Partial<ErrorBody> & { message: string },
    headers: Record<string, string> = {}
  ) {
    super(message)
    this.name = 'WireError'
    this.status = status
    this.body = { message, type, param, code }
    this.headers = headers
  }
}

/** What that API calls errors of a status, where it has no better word. */
export const typeOf = (status: number): string => (status >= 500 ? 'server_error' : 'invalid_request_error')

/** 400 for a parameter that would change the answer and cannot be kept. */
export const unsupportedParameter = (param: string, message: string): WireError =>
  new WireError(400, { message: `Unsupported parameter: '${param}'. ${message}`, param, code: 'unsupported_parameter' })

/** 404 for a model that is not served here, or not by this route. */
export const modelNotFound = (model: string, reason?: string): WireError =>
  new WireError(404, {
    message: reason ?? `The model \`${model}\` does not exist or you do not have access to it.`,
    param: 'model',
    code: 'model_not_found'
  })
