/** First words of Redis' and Valkey's error replies (`createSharedObjects` in `server.c`, `cluster.c`, `script.c`). */
const replies = [
  'LOADING', // reading its data after a start
  'READONLY', // a replica: the primary is another by now
  'MISCONF', // cannot write its snapshot or log, and takes no writes until it can
  'NOREPLICAS', // fewer replicas than `min-replicas-to-write`
  'OOM', // `maxmemory` is reached
  'MASTERDOWN', // a replica that lost its primary
  'NOMASTERLINK',
  'CLUSTERDOWN',
  'TRYAGAIN', // slots are being moved
  'BUSY', // somebody's script runs for too long
  'UNBLOCKED', // a waiting command was ended, because the primary became a replica
  'NOSCRIPT', // emptied or replaced: the client sends the script again
  // It does not let us in, so we reach it as little as one that is down.
  'NOAUTH',
  'WRONGPASS',
  'DENIED',
  'ERR max number of clients'
].join('|')

/**
 * A reply begins with its word; one that a script met stands behind the script's name up to Redis 6.2 ("ERR Error
 * running script (call to f_…): @user_script:1: @user_script: 1: -MISCONF …"), and a transaction that was refused for it
 * names it after the colon.
 */
const reply = new RegExp(
  `^(?:ERR Error running script .{0,200}?: -?|EXECABORT Transaction discarded because of: -?)?(?:${replies})(?: |$)`
)

/** What ioredis 6 and BullMQ 6 say in words alone. */
const words = new RegExp(
  `^(?:${[
    'Connection is closed',
    'Connection ended before ready event',
    'Command timed out',
    'Command aborted due to connection close',
    "Stream isn't writeable",
    'Socket timeout\\. Expecting data',
    'Socket closed unexpectedly',
    'All sentinels are unreachable',
    'None of startup nodes is available',
    'Node is disconnected',
    'Cluster is (?:disconnect|ended)',
    'Too many Cluster redirections'
  ].join('|')})`
)

const names = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError', 'GateUnavailableError'])

/** Whether this is a Redis that is away, or that answers it cannot for now. */
export function isRedisOutage({ name, message }: Error): boolean {
  return names.has(name) || reply.test(message) || words.test(message)
}
