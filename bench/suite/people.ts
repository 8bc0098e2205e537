import { randomUUID } from 'node:crypto'
import { createTokens } from '../../lib/auth/tokens.ts'
import { withPostgres } from '../../scripts/services/postgres-client.ts'
import type { Stage } from './stage.ts'

export type Person = { id: string; authorization: string }

/** People with a session each, whose tokens hold for a day. */
export async function makePeople(
  { databaseUrl, jwtSecret }: Pick<Stage, 'databaseUrl' | 'jwtSecret'>,
  count: number
): Promise<Person[]> {
  const tokens = createTokens({ secret: jwtSecret })
  const expiresAt = new Date(Date.now() + 24 * 3_600_000)
  return await withPostgres(databaseUrl, async (client) => {
    const people: Person[] = []
    for (let n = 0; n < count; n++) {
      const [id, sessionId] = [randomUUID(), randomUUID()]
      await client.query(`insert into users (id, email, password_hash) values ($1, $2, '-')`, [id, `${id}@bench.test`])
      await client.query('insert into sessions (id, user_id, expires_at) values ($1, $2, $3)', [
        sessionId,
        id,
        expiresAt
      ])
      const token = await tokens.sign({ userId: id, sessionId, audience: 'api', expiresAt })
      people.push({ id, authorization: `Bearer ${token}` })
    }
    return people
  })
}
