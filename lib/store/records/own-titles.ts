import type { Knex } from 'knex'

/** A record of a person, as far as it takes to tell by its title which one they mean. */
export type OwnTitle = {
  id: string
  title: string
  isOpen: boolean
  /** the goal itself, or the one a task belongs to */
  goalId: string
}

export type OwnTitles = ReturnType<typeof createOwnTitles>

type Row = { id: string; title: string; status: string; goal_id: string }

export function createOwnTitles({ knex }: { knex: Knex }) {
  const select = (userId: string, type: 'goal' | 'task') =>
    knex<Row>(type === 'goal' ? 'goals' : 'tasks')
      .where({ user_id: userId } as Partial<Row>)
      .select('id', 'title', 'status', type === 'goal' ? knex.ref('id').as('goal_id') : 'goal_id')

  return {
    /** The newest goals or tasks of a person. */
    async newest(userId: string, type: 'goal' | 'task', limit: number): Promise<OwnTitle[]> {
      return ((await select(userId, type).orderBy('id', 'desc').limit(limit)) as Row[]).map(toTitle)
    },

    /** One goal or task of a person. */
    async find(userId: string, type: 'goal' | 'task', id: string): Promise<OwnTitle | undefined> {
      const [row] = (await select(userId, type).where({ id })) as Row[]
      return row && toTitle(row)
    }
  }
}

const toTitle = ({ id, title, status, goal_id }: Row): OwnTitle => ({
  id,
  title,
  isOpen: status !== 'completed' && status !== 'archived',
  goalId: goal_id
})
