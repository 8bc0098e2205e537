import autocannon from 'autocannon'

/** Generates load in a process of its own: takes orders from its parent, and answers what came of each. */

/** One load: so many connections send the same request again and again, for so many seconds. */
export type LoadOrder = {
  url: string
  method: 'GET' | 'POST'
  connections: number
  seconds: number
  /** connection n sends those at n, from the start again when there are fewer */
  headers: Record<string, string>[]
  body?: string
  /** of an answer that counts as right */
  status: number
  /** text that each right answer has in its body */
  includes: string
}

/** `right`: answers as they should be; `wrong`: all others, and failures of the connection. */
export type LoadAnswer = { right: number; wrong: number; seconds: number; p50: number; p99: number }

async function load({ url, method, headers, status, includes, body, ...order }: LoadOrder): Promise<LoadAnswer> {
  let next = 0
  const result = await autocannon({
    url,
    method,
    connections: order.connections,
    duration: order.seconds,
    ...(body === undefined ? {} : { body }),
    setupClient: (client) => client.setHeaders(headers[next++ % headers.length]),
    verifyBody: (text) => String(text).includes(includes)
  })
  const answered = result.statusCodeStats?.[`${status}`]?.count ?? 0
  const right = answered - result.mismatches
  return {
    right,
    wrong: result.requests.total - right + result.errors,
    seconds: result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99
  }
}

process.on('message', (order: LoadOrder) => {
  load(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ error: String(error) })
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ type: 'ready' })
