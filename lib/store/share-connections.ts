import knexFactory, { type Knex } from 'knex'
import { createPlaces } from '../sharing/places.ts'

/** The two methods through which everything of Knex takes and returns a connection. */
type Client = { acquireConnection(): Promise<unknown>; releaseConnection(connection: unknown): Promise<void> }

/** One person's statements never take all processors of the database, whether or not others wait. */
const shareOfOwner = 0.4
/** What nobody in particular asked for is done for everybody: it has its turn, and no share that it could not pass. */
const platform = ''

/**
 * Has the connections of a pool served owner by owner. The pool itself serves whoever came first: sixteen jobs of one
 * person, each with a dozen statements, would be before every statement of another's one job.
 * @param connections how many the pool has
 * @param ownerOf for whom a statement is about to run
 */
export function shareConnections(
  knex: Knex,
  { connections, longestWaitMs, ownerOf }: { connections: number; longestWaitMs: number; ownerOf: () => string }
): void {
  const client = knex.client as Client
  const acquire = client.acquireConnection.bind(client)
  const release = client.releaseConnection.bind(client)
  const share = Math.ceil(connections * shareOfOwner)
  const places = createPlaces({
    places: connections,
    placesOf: (owner) => (owner === platform ? connections : share),
    longestWaitMs,
    tooLate: () => new knexFactory.KnexTimeoutError('Timeout acquiring a connection: the pool is probably full')
  })
  const ownerOfTaken = new Map<unknown, string>()
  client.acquireConnection = async () => {
    const owner = ownerOf()
    await places.enter(owner)
    try {
      const connection = await acquire()
      ownerOfTaken.set(connection, owner)
      return connection
    } catch (error) {
      places.leave(owner)
      throw error
    }
  }
  client.releaseConnection = async (connection) => {
    await release(connection)
    // Knex may return one twice.
    const owner = ownerOfTaken.get(connection)
    if (owner === undefined) return
    ownerOfTaken.delete(connection)
    places.leave(owner)
  }
}
