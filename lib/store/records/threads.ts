import type { Knex } from 'knex'
import { newId } from '../../ids.ts'
import type { ThreadMessage, ThreadView } from '../../schemas/thread.ts'

export type ThreadStore = ReturnType<typeof createThreadStore>

/** A message of a thread with its place in it, from 1. */
export type StoredMessage = { ordinal: number; role: 'user' | 'assistant'; content: string }

/** What a run remembers of a thread: a summary of its beginning, and the messages after it. */
export type Memory = { summary: string | null; summarisedThrough: number; messages: StoredMessage[] }

/** What one job adds to a thread. */
export type Turn = {
  threadId: string
  userId: string
  jobId: string
  /** of a thread that this turn begins */
  title: string
  messages: { role: 'user' | 'assistant'; content: string }[]
  /** replaces the thread's summary */
  summary?: { text: string; through: number } | undefined
}

/** Conversations, each of one user: there is no way to look at one without saying whose it is. */
export function createThreadStore({ knex }: { knex: Knex }) {
  return {
    /** Newest first. */
    async list(
      userId: string,
      { before, limit }: { before?: string | undefined; limit: number }
    ): Promise<ThreadView[]> {
      const rows = knex('threads').where({ user_id: userId })
      if (before !== undefined) void rows.where('id', '<', before)
      return (await rows.orderBy('id', 'desc').limit(limit).select('*')).map(toView)
    },

    async find(userId: string, id: string): Promise<ThreadView | undefined> {
      const row = await knex('threads').where({ id, user_id: userId }).first()
      return row && toView(row)
    },

    /** The latest messages, in their order. */
    async messages(threadId: string, limit: number): Promise<ThreadMessage[]> {
      const rows = await knex('thread_messages').where({ thread_id: threadId }).orderBy('ordinal', 'desc').limit(limit)
      return rows.reverse().map((row) => ({
        role: row.role,
        content: row.content,
        jobId: row.job_id,
        createdAt: row.created_at.toISOString()
      }))
    },

    /** @returns `undefined` when the user has no such thread */
    async memory(userId: string, threadId: string): Promise<Memory | undefined> {
      const thread = await knex('threads').where({ id: threadId, user_id: userId }).first()
      if (!thread) return undefined
      const messages = await knex('thread_messages')
        .where({ thread_id: threadId })
        .where('ordinal', '>', thread.summarised_through)
        .orderBy('ordinal')
        .select('ordinal', 'role', 'content')
      return { summary: thread.summary, summarisedThrough: thread.summarised_through, messages }
    },

    /**
     * Adds a turn in the transaction of a job's effect, so that a run that does not end well leaves nothing behind.
     * A thread is made by the job it begins with and has that job's id.
     * @returns false when the thread was deleted meanwhile: it stays deleted
     */
    async append(trx: Knex.Transaction, turn: Turn): Promise<boolean> {
      const { threadId, userId, jobId } = turn
      if (threadId === jobId) {
        await trx('threads').insert({ id: threadId, user_id: userId, title: turn.title }).onConflict('id').ignore()
      }
      const thread = await trx('threads').where({ id: threadId, user_id: userId }).forUpdate().first('id')
      if (!thread) return false
      const [last] = await trx('thread_messages').where({ thread_id: threadId }).max('ordinal as ordinal')
      const first = Number(last?.ordinal ?? 0) + 1
      await trx('thread_messages').insert(
        turn.messages.map(({ role, content }, at) => ({
          id: newId(),
          thread_id: threadId,
          ordinal: first + at,
          role,
          content,
          job_id: jobId
        }))
      )
      const { summary } = turn
      await trx('threads')
        .where({ id: threadId })
        .update({
          updated_at: trx.fn.now(),
          ...(summary ? { summary: summary.text, summarised_through: summary.through } : {})
        })
      return true
    },

    /** @returns false when there was none */
    async remove(userId: string, id: string): Promise<boolean> {
      return (await knex('threads').where({ id, user_id: userId }).delete()) > 0
    }
  }
}

function toView(row: { id: string; title: string; created_at: Date; updated_at: Date }): ThreadView {
  return {
    id: row.id,
    title: row.title,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString()
  }
}
