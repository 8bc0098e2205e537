import { openOfflineProvider } from '../../lib/models/open-offline.ts'

/** The offline provider in a process of its own, LATENCY milliseconds away. Asked anything, it says what it was sent. */

/** Requests so far, and how many were under way at once since the last question. */
export type ProviderAnswer = { requests: number; atOnce: number }

const provider = openOfflineProvider({ latencyMs: Number(process.env.LATENCY) })
const { url } = await provider.listen()
let asked = 0

process.on('message', () => {
  const lines = provider.invoice()
  const changes = lines.slice(asked).flatMap(({ at, finishedAt }) => [
    { at, change: 1 },
    { at: finishedAt ?? at, change: -1 }
  ])
  let under = 0
  let atOnce = 0
  for (const { change } of changes.toSorted((a, b) => a.at.localeCompare(b.at) || a.change - b.change)) {
    under += change
    atOnce = Math.max(atOnce, under)
  }
  asked = lines.length
  process.send?.({ requests: lines.length, atOnce } satisfies ProviderAnswer)
})
process.on('disconnect', () => process.exit())
process.send?.({ type: 'ready', url })
