import type { Accepted, Learner, Tally } from './clients.ts'
import type { Heard } from './listeners.ts'
import { tells } from './manners.ts'
import type { Stage } from './stage.ts'

/** One line of the table. `broken` is how many times the invariant did not hold; absent where there is none. */
export type Row = { what: string; value: string | number; broken?: number; detail?: string }

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0)

/** Holds the database, the provider's invoice and what the listeners heard against the promises. */
export async function judge(
  stage: Stage,
  {
    tally,
    learners,
    broker,
    heardFrom,
    sockets,
    repairs,
    brokenRequests
  }: {
    tally: Tally
    learners: Learner[]
    broker: Heard
    /** last position before the queue on RabbitMQ was bound */
    heardFrom: number
    sockets: { learner: Learner; heard: Heard }[]
    repairs: number[]
    /** requests that were refused or broken off while an API was replaced */
    brokenRequests: number
  }
): Promise<Row[]> {
  const { knex } = stage
  const one = async (sql: string, bindings: unknown[] = []): Promise<number> => {
    const { rows } = await knex.raw(sql, bindings as never)
    return Number(rows[0].n)
  }
  const ids = tally.accepted.map(({ id }) => id)
  const rows = await knex('jobs').whereIn('id', ids).select('id', 'status', 'error')
  const byId = new Map(rows.map((row) => [row.id as string, row]))
  const terminal = rows.filter(({ status }) => ['completed', 'failed', 'cancelled'].includes(status))
  const failed = rows.filter(({ status }) => status === 'failed')

  // Effects: records of bulk jobs, turns of chats, terminal events.
  const goals = await knex('goals')
    .whereIn(
      'user_id',
      learners.map(({ id }) => id)
    )
    .select('title')
  const made = new Map<string, number>()
  for (const { title } of goals) {
    const name = String(title).split(' about ')[0] as string
    made.set(name, (made.get(name) ?? 0) + 1)
  }
  const doubledRecords = [...made.values()].filter((count) => count > 1).length
  const wrongRecords = tally.accepted.filter(({ id, records }: Accepted) => {
    const done = byId.get(id)?.status === 'completed'
    return records.some((title) => (made.get(title) ?? 0) !== (done ? 1 : 0))
  }).length
  const turns = await one(
    `select count(*) as n from (
       select j.id from jobs j left join thread_messages m on m.job_id = j.id
       where j.action = 'chat_completion' and j.status = 'completed' group by j.id having count(m.id) <> 2) wrong`
  )
  const terminalEvents = await one(
    `select count(*) as n from (
       select j.id from jobs j left join events e on e.subject = j.id::text and e.type ~ '^job\\.(completed|failed|cancelled)\\.'
       where j.origin = 'user' and j.status in ('completed', 'failed', 'cancelled') group by j.id having count(e.id) <> 1) wrong`
  )

  // Money: each line of the invoice has one row of the ledger, and what was settled is equal to the last digit.
  const invoice = stage.provider.invoice()
  const calls = new Map(
    (await knex('model_calls').select('id', 'state', 'prompt_tokens', 'completion_tokens')).map((call) => [
      call.id as string,
      call
    ])
  )
  const withoutRow = invoice.filter(({ clientRequestId }) => !clientRequestId || !calls.has(clientRequestId)).length
  const different = invoice.filter(({ clientRequestId, promptTokens, completionTokens }) => {
    const call = calls.get(clientRequestId ?? '')
    return (
      call?.state === 'settled' &&
      (Number(call.prompt_tokens) !== promptTokens || Number(call.completion_tokens) !== completionTokens)
    )
  }).length
  const stateOf = ({ clientRequestId }: (typeof invoice)[number]) => calls.get(clientRequestId ?? '')?.state
  // An error before the first token is free, whether or not it says so.
  const silent = invoice.filter((line) => !tells(line) && line.promptTokens + line.completionTokens > 0)
  const guessed = silent.filter((line) => !['estimated', 'unknown'].includes(stateOf(line) ?? '')).length
  const odd = invoice.filter(({ manner }) => manner !== null).length
  const estimated = [...calls.values()].filter(({ state }) => state === 'estimated').length
  // A provider that takes more than a call was granted has taken it when that is seen: up to the grant it is ours.
  const overspent = await one(
    `select count(*) as n from jobs j
     where j.action = 'chat_completion' and (j.input ->> 'maxCostUsd')::numeric * 1000000000000 <
       (select coalesce(sum(least(s.cost_pico, s.worst_case_pico)), 0) from model_call_shares s where s.job_id = j.id)`
  )
  const beyond = await one('select count(*) as n from model_calls where cost_pico > worst_case_pico')
  const unknown = [...calls.values()].filter(({ state }) => state === 'unknown').length
  const open = [...calls.values()].filter(({ state }) => state === 'intended').length
  // A call that was made after an equal one of the job had been settled; two that overlapped are the one window that
  // cannot be closed, a run that was taken for dead and was not.
  const { rows: again } = await knex.raw(
    `select s.action, s.step, o.run as first, s.run as second
     from model_call_shares s join model_calls c on c.id = s.call_id
     join model_call_shares o on o.job_id = s.job_id and o.step = s.step and o.input_hash = s.input_hash
       and o.call_id <> s.call_id
     join model_calls p on p.id = o.call_id
     where p.state in ('settled', 'estimated') and p.error is null and p.settled_at < c.created_at`
  )
  const paidTwice = again.length
  const shares = await one(
    `select count(*) as n from (
       select c.id from model_calls c join model_call_shares s on s.call_id = c.id where c.state = 'settled'
       group by c.id having sum(s.cost_pico) <> c.cost_pico or sum(s.prompt_tokens) <> c.prompt_tokens) wrong`
  )
  const reserved = await one(`select count(*) as n from jobs where reserved_pico <> 0 and finished_at is not null`)

  // News: the log against RabbitMQ and the sockets.
  const log = (await knex('events').whereNotNull('position').select('id', 'user_id', 'position', 'type')) as {
    id: string
    user_id: string
    position: string
    type: string
  }[]
  const unheard = log.filter(({ id, position }) => Number(position) > heardFrom && !broker.events.has(id))
  const missingOnBroker = unheard.length
  const repeatedOnBroker = sum(broker.events.values()) - broker.events.size
  let missingOnSockets = 0
  let repeatedOnSockets = 0
  let heardOnSockets = 0
  for (const { learner, heard } of sockets) {
    missingOnSockets += log.filter(({ id, user_id }) => user_id === learner.id && !heard.events.has(id)).length
    repeatedOnSockets += sum(heard.events.values()) - heard.events.size
    heardOnSockets += heard.events.size
  }
  const unplaced = await one('select count(*) as n from events where position is null')
  const longest = Math.max(0, ...repairs)

  return [
    { what: 'accepted', value: ids.length },
    { what: 'terminal', value: terminal.length },
    { what: 'of these failed', value: failed.length },
    { what: 'lost', value: ids.length - terminal.length, broken: ids.length - terminal.length },
    { what: 'answers 500', value: tally.answers5xx, broken: tally.answers5xx },
    { what: 'requests broken by a rolling restart', value: brokenRequests, broken: brokenRequests },
    { what: 'one key, two jobs', value: tally.wrongReplays, broken: tally.wrongReplays },
    { what: 'records made twice', value: doubledRecords, broken: doubledRecords },
    { what: 'bulk jobs whose records are not as they say', value: wrongRecords, broken: wrongRecords },
    { what: 'chats without exactly two messages', value: turns, broken: turns },
    { what: 'jobs without exactly one last event', value: terminalEvents, broken: terminalEvents },
    { what: 'invoice lines', value: invoice.length },
    { what: 'ledger rows', value: calls.size },
    { what: 'invoice lines without a ledger row', value: withoutRow, broken: withoutRow },
    { what: 'settled rows that differ from the invoice', value: different, broken: different },
    { what: 'answers in another manner', value: odd },
    {
      what: 'answers that told nothing and are not estimated',
      value: guessed,
      broken: guessed,
      detail: silent
        .filter((line) => !['estimated', 'unknown'].includes(stateOf(line) ?? ''))
        .map((line) => `${line.manner} ${stateOf(line)}`)
        .slice(0, 5)
        .join(', ')
    },
    { what: 'estimated rows', value: estimated },
    { what: 'chats that cost more than they may', value: overspent, broken: overspent },
    { what: 'calls for which more was taken than granted', value: beyond },
    { what: 'calls whose shares do not add up', value: shares, broken: shares },
    { what: 'answers paid twice', value: paidTwice, broken: paidTwice, detail: JSON.stringify(again.slice(0, 5)) },
    { what: 'unknown rows', value: unknown },
    { what: 'rows never settled', value: open, broken: open },
    { what: 'ended jobs with money reserved', value: reserved, broken: reserved },
    { what: 'events in the log', value: log.length },
    { what: 'events without a position', value: unplaced, broken: unplaced },
    {
      what: 'missing on RabbitMQ',
      value: missingOnBroker,
      broken: missingOnBroker,
      detail: unheard.map(({ position, type }) => `${position} ${type}`).join(', ')
    },
    { what: 'repeated on RabbitMQ (allowed)', value: repeatedOnBroker },
    { what: 'out of order on RabbitMQ', value: broker.outOfOrder, broken: broker.outOfOrder },
    { what: 'events over ws', value: heardOnSockets },
    { what: 'missing over ws', value: missingOnSockets, broken: missingOnSockets },
    { what: 'repeated over ws', value: repeatedOnSockets, broken: repeatedOnSockets },
    { what: 'longest repair, s', value: (longest / 1000).toFixed(1), broken: longest > 30_000 ? 1 : 0 }
  ]
}
