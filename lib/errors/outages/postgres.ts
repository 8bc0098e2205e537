/**
 * What PostgreSQL says when it cannot for now, by SQLSTATE; after its manual, appendix A, and `errcodes.txt` of
 * versions 15 to 18. Everything else is about the statement, and the next try would end as this one did: data (22),
 * constraints (23), limits of a statement (54), syntax and rights (42), and damage that a person has to repair (XX).
 */
const classes: Record<string, string> = {
  '08': 'the connection failed',
  28: 'the server did not let us in, so we reach it as little as one that is down: only a connection can be refused so',
  53: 'out of connections, memory, disk or files',
  57: 'an operator or a shutdown ended it, the server is starting, or the statement took longer than it may',
  58: 'an error outside of PostgreSQL: its disk or its system'
}

const codes: Record<string, string> = {
  25006: 'read-only: a standby, a primary that was replaced, or a provider that stopped writes on a full disk',
  '25P03': 'our process said nothing for too long inside of a transaction',
  '25P04': 'the transaction took longer than it may',
  '3D000': 'the database is not there, as while it is restored: said to a connection alone',
  40000: 'rolled back',
  40001: 'lost against another transaction, or against what a standby had to replay',
  40003: 'nobody knows whether it was carried out',
  '40P01': 'lost in a deadlock',
  55000: 'not in the state for it, such as a database that takes no connections for a while',
  55006: 'in use',
  '55P03': 'a lock was not to be had in time',
  72000: 'what it read is too old by now'
}

/**
 * A message of ours that the server cannot read (08P01) is our fault, such as one with more parameters than the protocol
 * counts. PgBouncer says with the same code, as FATAL, that it has no server.
 */
const protocolViolation = '08P01'

/**
 * Classes of errors that lie in what a statement says or holds: it would end the same way tomorrow. What is neither of
 * these nor an outage is damage, a missing table, a right that was taken: a person may put it right meanwhile.
 */
const ofTheStatement = /^(?:0A|2[0-3]|42(?!501|P01)|54|P0)/

/** Whether an error of the database may be gone after a while, also one that needs a person. */
export function mayBeRepaired(error: Error): boolean {
  const { code } = error as { code?: unknown }
  return (
    typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && code !== protocolViolation && !ofTheStatement.test(code)
  )
}

/** Whether an error carries an SQLSTATE, and if so whether that means "away for now". */
export function postgresVerdict(error: Error): boolean | undefined {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return undefined
  if (code === protocolViolation) return severity === 'FATAL'
  return code in codes || code.slice(0, 2) in classes
}
