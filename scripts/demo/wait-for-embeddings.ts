import { setTimeout as sleep } from 'node:timers/promises'
import type { JobView } from '../../lib/schemas/job.ts'
import type { Page } from '../../lib/schemas/page.ts'
import type { Client } from '../load/client.ts'
import { PlainError } from '../load/plain-error.ts'

/** A look costs two of the user's calls, so not more often than the limits make good again. */
const lookEveryMs = 2_000

/**
 * Waits until no embedding of the user's records is due.
 * @param onLeft told how many jobs are left (up to 200, which is all one page each shows)
 * @throws PlainError when nothing moves for a while: then no worker is running
 */
export async function waitForEmbeddings(
  client: Client,
  onLeft: (left: number) => void,
  { patienceMs = 60_000 }: { patienceMs?: number } = {}
): Promise<void> {
  const countOf = async (status: 'queued' | 'active') => {
    const query = `origin=system&action=embedding_generation&status=${status}&limit=100`
    return (await client.get<Page<JobView>>(`/jobs?${query}`)).data.length
  }
  let fewest = Number.POSITIVE_INFINITY
  let movedAt = Date.now()
  for (;;) {
    const left = (await countOf('queued')) + (await countOf('active'))
    onLeft(left)
    if (left === 0) return
    if (left < fewest) {
      fewest = left
      movedAt = Date.now()
    }
    if (Date.now() - movedAt > patienceMs) {
      throw new PlainError(`${left} embeddings are waiting and nothing moves: are the workers running?`)
    }
    await sleep(lookEveryMs)
  }
}
