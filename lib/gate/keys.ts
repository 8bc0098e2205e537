import { createHash } from 'node:crypto'
import { addressGroup } from './address.ts'
import type { BucketName } from './limits.ts'

/**
 * Whose buckets are asked.
 * A `login` subject is an address and an e-mail together, so that failing from elsewhere locks nobody out.
 */
export type Subject =
  | { kind: 'user'; id: string }
  | { kind: 'address'; address: string }
  | { kind: 'login'; key: string }

/**
 * All keys of a subject carry the hash tag of its shard, so one call touches one slot of a Redis Cluster and declares
 * every key. Changing the number moves subjects to other shards: buckets start full, old streams are read no more.
 */
const shardCount = 8

export type GateKeys = ReturnType<typeof createGateKeys>

/** Names of everything the gate keeps in Redis under `prefix`. */
export function createGateKeys(prefix: string) {
  const plain = prefix.replaceAll(/[{}]/g, '')
  const tag = (shard: number) => `{${plain}:gate:${shard}}`
  const repeats = (shard: number) => [`${tag(shard)}:repeats`, `${tag(shard)}:repeated`]
  const beside = (own: string, subject: string) =>
    [':decisions', ':admitted', ':repeats', ':repeated', `${subject}:refusals`].map((name) => own + name)
  return {
    shards: Array.from({ length: shardCount }, (_, shard) => shard),
    /** decisions waiting for their audit row */
    decisions: (shard: number) => `${tag(shard)}:decisions`,
    /** admitted requests whose decision is not final yet */
    admitted: (shard: number) => `${tag(shard)}:admitted`,
    /** sorted set of API processes and when they were last heard */
    processes: `{${plain}:gate}:processes`,
    /** counted refusals that wait for their row: how many, and the fields of one */
    repeats,
    bucket: (subject: Subject, name: BucketName) => `${tag(shardOf(subject))}:${subjectKey(subject)}:${name}`,
    /** what every call of `take.lua` begins with */
    besideSubject: (subject: Subject) => beside(tag(shardOf(subject)), `:${subjectKey(subject)}`),
    /** the same for a bucket of which only the key is known */
    besideBucket(bucketKey: string) {
      const end = bucketKey.indexOf('}') + 1
      return beside(bucketKey.slice(0, end), bucketKey.slice(end, bucketKey.lastIndexOf(':')))
    },
    /** the same for a decision that was made elsewhere */
    besideShard: (shard: number) => beside(tag(shard), ':elsewhere'),
    shardOf
  }
}

function shardOf(subject: Subject): number {
  return createHash('sha1').update(subjectKey(subject)).digest().readUInt32BE(0) % shardCount
}

/** E-mails and odd addresses do not stand in keys as they are. */
function subjectKey(subject: Subject): string {
  if (subject.kind === 'user') return `user:${subject.id}`
  if (subject.kind === 'address') return `address:${addressGroup(subject.address)}`
  return `login:${createHash('sha256').update(subject.key).digest('base64url')}`
}

/** @returns the subject that failed logins of `email` from `address` are counted on; letter case does not matter */
export function loginSubject(address: string, email: string): Subject {
  return { kind: 'login', key: `${addressGroup(address)} ${email.trim().toLowerCase()}` }
}
