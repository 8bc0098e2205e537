const json = (description: string) => ({
  description,
  content: { 'application/json': { schema: { type: 'object' } } }
})

const read = (summary: string, responses: Record<string, unknown>, security: unknown[] = []) => ({
  get: {
    operationId: `service${summary.replace(/\W+(\w)/g, (_, c: string) => c.toUpperCase())}`,
    summary,
    tags: ['Service'],
    security,
    responses
  }
})

/** Routes at the root, which are no endpoints: they belong to the instance, not to a user. */
export const servicePaths = {
  '/': read('Name, version and links', { 200: json('What this is') }),
  '/health': read('State of each component', {
    200: json('`ok`, or `degraded` when a component is not well, PostgreSQL among them when it can only be read'),
    503: json('`down`: PostgreSQL cannot be reached')
  }),
  '/health/live': read('Whether the process lives', { 200: json('It does') }),
  '/health/ready': read('Whether requests can be served', { 200: json('They can'), 503: json('Not now') }),
  '/metrics': read(
    'Metrics for Prometheus',
    {
      200: { description: 'Text format 0.0.4', content: { 'text/plain': { schema: { type: 'string' } } } },
      401: json('Not from this machine, and without METRICS_TOKEN'),
      403: json('Not from this machine, and no METRICS_TOKEN is set')
    },
    [{}, { bearer: [] }]
  ),
  '/openapi.json': read('This document', { 200: json('OpenAPI 3.1') }),
  '/docs': read('This document to read and try', {
    200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' } } } }
  })
}
