import { tryPort } from '../services/free-port.ts'
import { startError } from '../services/start-error.ts'

const reasons: Record<string, string> = {
  EADDRINUSE: 'is in use by another process',
  EACCES: 'is reserved for root',
  EADDRNOTAVAIL: 'is not possible: this machine does not have that address',
  ENOTFOUND: 'is not possible: that host name is not known'
}

/** Rejects with a StartError that says what to change when the API could not listen there. */
export async function checkPort(port: number, host: string): Promise<void> {
  const { code } = await tryPort(port, host)
  if (code === undefined) return
  const change = code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' ? 'HOST=127.0.0.1' : `PORT=${port + 1}`
  throw startError(
    `Port ${port} on ${host} ${reasons[code] ?? `cannot be had (${code})`}. For example: ${change} npm start`
  )
}
