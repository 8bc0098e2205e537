import { readFileSync } from 'node:fs'
import type { Cluster, Redis } from 'ioredis'

export type RedisClient = Redis | Cluster
/** Runs a script; what comes back is what its header says. */
export type Script = (keys: string[], args: (string | number)[]) => Promise<unknown>

/**
 * Makes a command of a Lua file in this folder. The client sends the text once over each connection and its digest
 * after that, so calls are carried out in the order they were made, also right after a reconnect.
 */
export function defineScript(redis: RedisClient, name: string): Script {
  const command = `gate_${name.replaceAll('-', '_')}`
  redis.defineCommand(command, { lua: readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8') })
  const run = Reflect.get(redis, command) as (...all: (string | number)[]) => Promise<unknown>
  return (keys, args) => run.call(redis, keys.length, ...keys, ...args)
}
