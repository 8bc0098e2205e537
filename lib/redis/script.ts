import { readFileSync } from 'node:fs'
import type { Cluster, Redis } from 'ioredis'

export type RedisClient = Redis | Cluster
/** Runs a script; what comes back is what its header says. */
export type Script<T = unknown> = (keys: readonly string[], args: readonly (string | number)[]) => Promise<T>

/**
 * Makes a command of a Lua file. The client sends the text once over each connection and its digest after that, so calls
 * are carried out in the order they were made, also right after a reconnect.
 * @param file URL of the script, as `new URL('./take.lua', import.meta.url)`; its name is the command's
 */
export function defineScript<T = unknown>(redis: RedisClient, file: URL): Script<T> {
  const command = `goals_${file.pathname
    .split('/')
    .at(-1)
    ?.replace(/\.lua$/, '')
    .replaceAll('-', '_')}`
  redis.defineCommand(command, { lua: readFileSync(file, 'utf8') })
  const run = Reflect.get(redis, command) as (...all: (string | number)[]) => Promise<T>
  return (keys, args) => run.call(redis, keys.length, ...keys, ...args)
}
