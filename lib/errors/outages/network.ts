/** What the system, Node.js and its TLS say of a peer that cannot be reached for now (errno(3), `dns`, `tls`). */
const codes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENOTCONN',
  'ESHUTDOWN',
  'EPROTO',
  'EADDRNOTAVAIL', // no port is left to connect from
  'ENOBUFS',
  'EMFILE', // this process has as many files and connections open as it may
  'ENFILE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EAI_NODATA',
  'ESERVFAIL',
  'ERR_STREAM_DESTROYED',
  'ERR_SOCKET_CLOSED',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET'
])

/** A certificate that is not believed, for now: an operator renews it. */
const certificates = /^(?:CERT_|ERR_TLS_CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_)/

/** What pg 8.23, knex 3.3 and amqplib 2.3 say in words alone. Knex puts the statement, with placeholders, before them. */
const words = new RegExp(
  `(?:^| - )(?:${[
    'Connection (?:terminated|ended unexpectedly|clos(?:ed|ing))',
    'Client (?:was closed|has encountered a connection error)',
    'timeout e(?:xpired|xceeded when trying to connect)',
    'Query read timeout',
    'Unable to acquire a connection',
    'There was an error establishing an SSL connection',
    'Channel (?:closing|closed$|ended, no reply)',
    'channel closed$',
    // AMQP 0-9-1: connection forced, resource error, internal error
    'Channel closed by server: (?:320|506|541) ',
    'Handshake terminated by server',
    'Heartbeat timeout',
    'Socket closed abruptly',
    'Unexpected close',
    'RabbitMQ is not connected'
  ].join('|')})`
)

const names = new Set(['KnexTimeoutError'])

/** Whether an error carries a code of a peer that cannot be reached. */
export function hasNetworkCode(error: Error): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') return false
  // a socket file that is not there; any other file that is not is a mistake
  return codes.has(code) || certificates.test(code) || (code === 'ENOENT' && syscall === 'connect')
}

/** The same for those that say it by their name or in words alone. */
export function soundsLikeNetwork({ name, message }: Error): boolean {
  return names.has(name) || words.test(message)
}
