import { type Client, createClient, json, type Tally } from './http.ts'

export type Person = { id: string; email: string; password: string; token: string; client: Client }

/** Who comes to a platform, each from an address of their own. */
export type People = {
  /** Somebody at an address of their own; without `address` at the next free one. */
  client(address?: string): Client
  /** Registers somebody. Waits while their address has to. */
  newPerson(client?: Client): Promise<Person>
  /** Closes everybody's connections. */
  close(): void
}

/**
 * @param name part of everybody's email: people of two makers must not share one
 * @param network the first two numbers of the addresses that are given out
 */
export function createPeople({
  url,
  tally,
  name,
  network
}: {
  url: string
  tally: Tally
  name: string
  network: string
}): People {
  const clients = new Set<Client>()
  let nextAddress = 0
  let nextPerson = 0

  const client = (address?: string): Client => {
    const n = nextAddress++
    const made = createClient({ url, address: address ?? `${network}.${(n >> 8) & 255}.${n & 255 || 1}`, tally })
    clients.add(made)
    return made
  }

  return {
    client,
    async newPerson(at = client()) {
      const n = nextPerson++
      const password = `a long password ${n}`
      for (let attempt = 0; ; attempt++) {
        // Another address each time: the last may have been taken by a request whose answer came too late.
        const email = `${name}-${n}-${attempt}-${process.pid}@example.test`
        const answer = await at.send('/api/v1/auth/register', { body: { email, password, name: 'Somebody' } })
        if (answer.status === 201) {
          const { user, token } = json<{ user: { id: string }; token: string }>(answer)
          return { id: user.id, email, password, token, client: at }
        }
        if (attempt === 20) throw new Error(`registering was answered ${answer.status}: ${answer.text.slice(0, 200)}`)
        await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(answer.headers['retry-after'] ?? 1)))
      }
    },
    close() {
      for (const each of clients) each.close()
    }
  }
}
