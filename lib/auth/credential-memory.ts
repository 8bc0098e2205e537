import type { Actor } from '../access/actor.ts'
import { createRemembered } from '../time/remembered.ts'
import type { Revocation } from './revocations.ts'

/** Who a credential stands for, and until when at the longest, in milliseconds since 1970. */
export type KnownCredential = { actor: Actor; endsAt: number }

export type CredentialMemory = {
  /** Who the token stands for, as `look` finds out unless it was found out just now. */
  find(token: string, look: () => Promise<KnownCredential | undefined>): Promise<Actor | undefined>
  /** To be called when credentials are revoked, or stand for something else: they are looked up again. */
  forget(revocation: Revocation): void
}

/**
 * Counted from before a credential is looked up. What is revoked holds everywhere within a second, also where its message
 * is lost; the rest of the second is for the lookup and for the request that it lets in.
 */
const forMs = 800
const most = 10_000

/**
 * Remembers for less than a second who a token stands for: a busy client costs a query a second, and requests of one
 * token that come at once share one. Only what is good is remembered.
 * @param now milliseconds of a clock that only goes forward
 */
export function createCredentialMemory({ now }: { now?: () => number } = {}): CredentialMemory {
  const known = createRemembered<string, KnownCredential>({ forMs, most, ...(now ? { now } : {}) })
  const lookups = new Map<string, Promise<KnownCredential | undefined>>()

  function lookUp(token: string, look: () => Promise<KnownCredential | undefined>) {
    const remember = known.begin()
    const lookup = look()
    lookups.set(token, lookup)
    const end = () => lookups.get(token) === lookup && lookups.delete(token)
    lookup.then((found) => {
      // Not in the list any more: something was revoked meanwhile, perhaps this.
      if (end() && found) remember(token, found)
    }, end)
    return lookup
  }

  return {
    async find(token, look) {
      const found = known.get(token) ?? (await (lookups.get(token) ?? lookUp(token, look)))
      return found && found.endsAt > Date.now() ? found.actor : undefined
    },
    forget({ userId, credentialId }) {
      lookups.clear()
      known.forgetWhere(({ actor }) =>
        credentialId === null ? actor.id === userId : actor.credential.id === credentialId
      )
    }
  }
}
