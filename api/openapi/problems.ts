import type { Endpoint } from '../endpoint.ts'

/** Problem answers that every route of a kind may give, by status. */
export const problemResponses = {
  400: 'The body is not JSON in UTF-8',
  401: 'No valid credential',
  403: 'For administrators',
  404: 'Not there, or not yours to see',
  409: 'It conflicts with what is there',
  412: 'It has changed since the `ETag` of `If-Match`',
  413: 'The body is too large',
  415: 'The body is not `application/json`',
  422: 'Fields are wrong: each is named in `errors`',
  429: 'Too many requests: wait `Retry-After` seconds',
  503: 'A service this depends on is away'
} as const

export type ProblemStatus = keyof typeof problemResponses

export const problemName = (status: ProblemStatus): string => `Problem${status}`

/** The problem answers of one endpoint. */
export function problemsOf({ access, method, limit, params, body }: Endpoint): ProblemStatus[] {
  const list: ProblemStatus[] = [422, 429, 503]
  if (access !== 'public' || limit === 'auth') list.push(401)
  if (access === 'admin') list.push(403)
  if (params) list.push(404)
  if (body) list.push(400, 413, 415)
  if (method !== 'get' && (!limit || limit === 'auth')) list.push(409)
  if (method === 'patch') list.push(412)
  return list.toSorted((a, b) => a - b)
}
