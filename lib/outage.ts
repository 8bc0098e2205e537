const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT' // a socket file that is not there
])

/** Names of errors by which clients say that their server is away or does not answer. */
const names = new Set([
  'KnexTimeoutError',
  'MaxRetriesPerRequestError',
  'ClusterAllFailedError',
  'GateUnavailableError'
])

/**
 * The same for those that say it only in words: pg 8.23, knex 3.3 and ioredis 6; and a Redis that answers it cannot.
 * Knex puts the statement, with placeholders, and a dash before the words.
 */
const words = new RegExp(
  `(?:^| - )(?:${[
    'Connection (?:terminated|ended unexpectedly|is closed)',
    'Client (?:was closed|has encountered a connection error)',
    'timeout e(?:xpired|xceeded when trying to connect)',
    'Query read timeout',
    'Unable to acquire a connection',
    'Command timed out',
    "Stream isn't writeable",
    'Socket timeout',
    '(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM) '
  ].join('|')})`
)

/**
 * SQLSTATE classes of a database that cannot at the moment: connection (08), resources (53), operator (57), system (58),
 * and of a transaction that lost against another and may be tried again (40), or whose process said nothing for too long
 * (25P03). PostgreSQL's manual, appendix A.
 */
const sqlClasses = /^((08|40|53|57|58)[0-9A-Z]{3}|25P03)$/

/** Whether an error, or what caused it, means that a service is away for now: the same request may succeed later. */
export function isOutage(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code, name, message } = at as NodeJS.ErrnoException
    if (names.has(name) || words.test(message)) return true
    if (typeof code === 'string' && (networkCodes.has(code) || sqlClasses.test(code))) return true
    if (at instanceof AggregateError && at.errors.some(isOutage)) return true
  }
  return false
}
