import type { IncomingMessage, ServerResponse } from 'node:http'
import cors from 'cors'
import type { Request, RequestHandler } from 'express'
import helmet from 'helmet'

/**
 * Security headers. Scripts and connections only from here; inline style is what the pages of Swagger UI and Bull Board
 * need. No subresource is asked for by https on its own: whether there is any is the business of who puts a proxy in
 * front, and browsers heed `Strict-Transport-Security` only where there is.
 */
export function securityHeaders(): RequestHandler {
  const headers = whatIsSetBy(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'self'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'", "'unsafe-inline'"],
          imgSrc: ["'self'", 'data:'],
          fontSrc: ["'self'", 'data:'],
          connectSrc: ["'self'"],
          objectSrc: ["'none'"],
          baseUri: ["'self'"],
          formAction: ["'self'"],
          frameAncestors: ["'none'"]
        }
      },
      strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: false },
      xFrameOptions: { action: 'deny' },
      // Same-origin and not none: with none, browsers hide from us too which page a form came from.
      referrerPolicy: { policy: 'same-origin' }
    })
  )
  return (_req, res, next) => {
    for (const [name, value] of headers) res.setHeader(name, value)
    next()
  }
}

/** Helmet's middleware sets the same for every request, so it is asked once. */
function whatIsSetBy(middleware: ReturnType<typeof helmet>): [name: string, value: string][] {
  const headers: [string, string][] = []
  const response = {
    setHeader: (name: string, value: string) => void headers.push([name, value]),
    removeHeader: () => undefined
  }
  middleware({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error) throw error
  })
  return headers
}

const exposedHeaders = [
  'RateLimit',
  'RateLimit-Policy',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'Retry-After',
  'Location',
  'ETag',
  'Preference-Applied',
  'WWW-Authenticate',
  'X-Request-Id',
  // of OpenAI's wire format
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
  'retry-after-ms',
  'x-should-retry',
  'x-goals-job'
]

/** What the `openai` client adds to each request, in browsers too. */
const openAiHeaders = [
  'OpenAI-Beta',
  'OpenAI-Organization',
  'OpenAI-Project',
  ...['Arch', 'Async', 'Helper-Method', 'Lang', 'OS', 'Package-Version', 'Poll-Helper', 'Custom-Poll-Interval'].map(
    (name) => `X-Stainless-${name}`
  ),
  ...['Retry-Count', 'Runtime', 'Runtime-Version', 'Timeout'].map((name) => `X-Stainless-${name}`)
]

/**
 * Lets browsers of these origins call. Credentials are bearer tokens that pages send themselves, so cookies are not
 * allowed along. Without origins no CORS field is ever sent. `*` lets any origin. Preflights are answered here, an
 * `OPTIONS` that is none goes on like every other request (Fetch standard, 3.3.2).
 */
export function crossOrigin(origins: string[]): RequestHandler[] {
  if (origins.length === 0) return []
  const options = {
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-Match',
      'If-None-Match',
      'Last-Event-ID',
      'Prefer',
      'X-Request-Id',
      ...openAiHeaders
    ],
    exposedHeaders,
    maxAge: 7_200 // seconds; the longest that Chromium keeps it
  }
  const answerPreflight = cors(options)
  const goOn = cors({ ...options, preflightContinue: true })
  return [(req, res, next) => (isPreflight(req) ? answerPreflight : goOn)(req, res, next)]
}

const isPreflight = ({ method, headers }: Request): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
