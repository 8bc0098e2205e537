import { isOutage } from '../errors/outage.ts'
import { isAboutMember } from './about-member.ts'

export type Refused<T> = { member: T; error: unknown }

/**
 * Does something for some members of a batch together.
 * @param done tells how many of the first members are done already, should the rest fail
 * @returns members that were refused each by itself, while the others are done
 * @throws when something failed that may be any member's doing
 */
export type BatchWork<T> = (part: readonly T[], done: (count: number) => void) => Promise<Refused<T>[] | undefined>

/** What became of the members. Those that are in neither list are to be given again; `error` says why. */
export type BatchEnd<T> = { done: Set<T>; aside: Set<T>; error?: unknown }

export type Bisect<T> = (members: readonly T[], work: BatchWork<T>, proceed?: () => boolean) => Promise<BatchEnd<T>>

/** So many members that fail alone, and none that does not: rather than go on, doubt that it is they. */
const mostDoubtful = 3
const defaultPatienceMs = 60_000
const boldForMs = 10 * 60_000

/**
 * Keeps one bad member from stopping the others of a shared batch: when the batch fails, and not because a service is
 * away, its halves are tried on their own in order, down to the member that fails alone. That one is put aside.
 *
 * An outage puts nothing aside. Neither does a failure that may be anybody's as long as nothing else works either; only
 * when that has lasted for `patienceMs` it counts as the members' own, and for ten minutes from then on. A failure that
 * is about what was written (`isAboutMember`), or that others do not share, is the member's own at once.
 * A batch of n makes at most 2n attempts.
 * @param setAside keeps the member and why it failed for people to look at; when it rejects, the member is left
 */
export function createBisect<T>({
  setAside,
  patienceMs = defaultPatienceMs,
  now = () => performance.now()
}: {
  setAside: (member: T, error: unknown) => Promise<void>
  patienceMs?: number
  now?: () => number
}): Bisect<T> {
  let stuckSince: number | undefined
  let boldUntil = Number.NEGATIVE_INFINITY

  return async (members, work, proceed = () => true) => {
    const done = new Set<T>()
    const aside = new Set<T>()
    const failed: Refused<T>[] = []
    const bold = now() < boldUntil || (stuckSince !== undefined && now() - stuckSince >= patienceMs)
    let outage: unknown

    const mayBeAnybodys = ({ error }: Refused<T>) => !bold && done.size === 0 && !isAboutMember(error)
    const goesOn = () => outage === undefined && failed.filter(mayBeAnybodys).length < mostDoubtful && proceed()

    async function attempt(part: readonly T[]): Promise<void> {
      if (part.length === 0 || !goesOn()) return
      let count = 0
      const markDone = (upTo: number) => {
        for (const member of part.slice(count, upTo)) done.add(member)
        count = Math.max(count, upTo)
      }
      try {
        const refused = (await work(part, markDone)) ?? []
        const names = new Set(refused.map(({ member }) => member))
        for (const member of part) if (!names.has(member)) done.add(member)
        failed.push(...refused)
      } catch (error) {
        const rest = part.slice(count)
        const half = rest.length >> 1
        if (isOutage(error)) outage = error
        else if (half === 0) failed.push(...rest.map((member) => ({ member, error })))
        else {
          await attempt(rest.slice(0, half))
          await attempt(rest.slice(half))
        }
      }
    }
    await attempt(members)

    const left = failed.filter(mayBeAnybodys)
    let error = outage ?? left[0]?.error
    if (outage === undefined) stuckSince = left.length === 0 ? undefined : (stuckSince ?? now())
    for (const refused of failed.filter((one) => !left.includes(one))) {
      try {
        await setAside(refused.member, refused.error)
        aside.add(refused.member)
      } catch (failure) {
        error = failure // where it should be kept is away: it is given again
        break
      }
    }
    if (bold && aside.size > 0) boldUntil = now() + boldForMs
    return { done, aside, ...(error === undefined ? {} : { error }) }
  }
}
