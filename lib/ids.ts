import { v7 } from 'uuid'

/** A new UUID v7 (RFC 9562): rises with time, so the newest row has the greatest id and a cursor needs nothing else. */
export function newId(): string {
  return v7()
}

/** When an id of version 7 was made (RFC 9562, 5.7: its first 48 bits are milliseconds). */
export function timeOf(id: string): Date {
  return new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))
}
