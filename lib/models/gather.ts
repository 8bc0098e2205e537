/** Largest request of the embeddings endpoint (its API reference): 2,048 inputs, and 300,000 tokens in all. */
const maxInputs = 2_048
/** By estimate, which may be a quarter too low. */
const maxTokens = 225_000
/** What one call may take of a request that it shares with others: an eighth. */
const shareInputs = maxInputs / 8
const shareTokens = maxTokens / 8

export type Gathered = { owner: string; inputs: number; tokens: number }

/**
 * Divides calls that came together into requests. Small ones share requests, owner by owner in turn, so that everybody's
 * first goes with the first; a large one goes with others of its owner, and nobody waits for somebody else's.
 * @returns the calls of each request, and whose it is where it has room for nobody else
 */
export function gather<Call extends Gathered>(calls: Call[]): { calls: Call[]; owner?: string }[] {
  const isLarge = ({ inputs, tokens }: Gathered) => inputs > shareInputs || tokens > shareTokens
  const small = calls.filter((call) => !isLarge(call))
  const large = Map.groupBy(calls.filter(isLarge), ({ owner }) => owner)
  return [
    ...filled(inTurn(small)).map((request) => ({ calls: request })),
    ...[...large].flatMap(([owner, own]) => filled(own).map((request) => ({ calls: request, owner })))
  ]
}

/** Everybody's first, then everybody's second. */
function inTurn<Call extends Gathered>(calls: Call[]): Call[] {
  const lines = [...Map.groupBy(calls, ({ owner }) => owner).values()]
  const rounds = Math.max(0, ...lines.map((line) => line.length))
  return Array.from({ length: rounds }, (_, round) => lines.flatMap((line) => line[round] ?? [])).flat()
}

/** In order, as many in each request as it takes. */
function filled<Call extends Gathered>(calls: Call[]): Call[][] {
  const requests: Call[][] = []
  let inputs = 0
  let tokens = 0
  for (const call of calls) {
    const last = requests.at(-1)
    if (last && inputs + call.inputs <= maxInputs && tokens + call.tokens <= maxTokens) {
      last.push(call)
      inputs += call.inputs
      tokens += call.tokens
    } else {
      requests.push([call])
      inputs = call.inputs
      tokens = call.tokens
    }
  }
  return requests
}
