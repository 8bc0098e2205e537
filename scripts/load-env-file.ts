import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { unknownVariables } from '../lib/config.ts'

/**
 * Reads `.env` of this folder, when there is one, into the environment, where what is set already stays.
 * Warns of names that nothing reads.
 */
export function loadEnvFile(): void {
  if (!existsSync('.env')) return
  for (const line of unknownVariables(Object.keys(parseEnv(readFileSync('.env', 'utf8'))))) {
    console.warn(`Warning: .env: ${line}`)
  }
  process.loadEnvFile('.env')
}
