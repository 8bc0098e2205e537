import { createCombined } from '../batches/combine.ts'
import { defineScript, type RedisClient } from '../redis/script.ts'

type Call = { keys: readonly string[]; args: readonly (string | number)[] }

/** Carries out a call of `take.lua`; what comes back is what its header says. @throws what went wrong with this call */
export type Take = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>

/** So many calls keep Redis from everybody else for about two milliseconds. */
const mostAtOnce = 32

/**
 * Sends the calls of one turn of the event loop together, in the order in which they were made: a script call of many
 * costs both sides a fraction of many script calls. On a Cluster those of one slot go together.
 */
export function createTake(redis: RedisClient): Take {
  const takeAll = defineScript<unknown[]>(redis, new URL('./take.lua', import.meta.url))

  const together = () =>
    createCombined<Call, unknown>({
      async run(calls) {
        const counts = calls.flatMap(({ keys, args }) => [keys.length, args.length])
        const replies = await takeAll(
          calls.flatMap(({ keys }) => keys),
          [calls.length, ...counts, ...calls.flatMap(({ args }) => args)]
        )
        return replies.map((reply) => (Array.isArray(reply) ? { value: reply } : { error: new Error(String(reply)) }))
      },
      lanes: Number.POSITIVE_INFINITY,
      rows: mostAtOnce,
      halves: false
    })

  if (!redis.isCluster) {
    const call = together()
    return (keys, args) => call({ keys, args })
  }
  const bySlot = new Map<string, ReturnType<typeof together>>()
  return (keys, args) => {
    const tag = /\{.*?\}/.exec(keys[0] ?? '')?.[0] ?? ''
    let call = bySlot.get(tag)
    if (!call) bySlot.set(tag, (call = together()))
    return call({ keys, args })
  }
}
