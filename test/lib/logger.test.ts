import test from 'ava'
import { createLogger } from '../../lib/logger.ts'

/** A log that is kept here, line by line. */
function keptLog() {
  const lines: string[] = []
  const log = createLogger({ level: 'info', name: 'test' }, { write: (line: string) => void lines.push(line) })
  return { log, lines }
}

test('an error is logged by its code and place, not by what its message or its cause quotes', (t) => {
  const { log, lines } = keptLog()
  const refused = Object.assign(new Error('insert into "goals" … - duplicate key: what somebody wrote'), {
    code: '23505',
    detail: 'Key (title)=(what somebody wrote) already exists.',
    table: 'goals',
    constraint: 'goals_title'
  })
  log.warn({ err: new Error('a job could not be added', { cause: refused }) }, 'first')
  log.child({ queue: 'x' }).error({ err: refused }, 'second')
  t.is(lines.length, 2)
  for (const line of lines) {
    t.notRegex(line, /what somebody wrote/)
    t.regex(line, /"code":"23505"/)
    t.regex(line, /"table":"goals"/)
  }
})

test('an error that causes itself, and what is no error, are logged too', (t) => {
  const { log, lines } = keptLog()
  const ring = new Error('ring')
  ring.cause = ring
  log.warn({ err: ring }, 'first')
  log.warn({ err: 'a text that was thrown' }, 'second')
  t.is(lines.length, 2)
  t.notRegex(lines[1] as string, /a text that was thrown/)
})
