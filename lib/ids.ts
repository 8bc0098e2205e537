import { v7 } from 'uuid'

/** A new UUID v7 (RFC 9562): rises with time, so the newest row has the greatest id and a cursor needs nothing else. */
export function newId(): string {
  return v7()
}
