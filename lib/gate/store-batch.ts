/**
 * Stores rows together, and when that fails finds out whether it is the rows or the store: halves are tried on their
 * own, down to single rows. Three single rows in a row that fail while none was stored mean that nothing can be stored
 * at present, and the rest is not tried.
 * @returns the rows that were stored, those that failed on their own, and the last error; the others were not tried
 */
export async function storeBatch<Row>(rows: Row[], store: (rows: Row[]) => Promise<void>) {
  const stored: Row[] = []
  const failed: Row[] = []
  let lastError: unknown

  async function attempt(part: Row[]): Promise<void> {
    if (part.length === 0 || (stored.length === 0 && failed.length >= 3)) return
    try {
      await store(part)
      stored.push(...part)
    } catch (error) {
      lastError = error
      if (part.length === 1) failed.push(...part)
      else {
        const half = part.length >> 1
        await attempt(part.slice(0, half))
        await attempt(part.slice(half))
      }
    }
  }

  await attempt(rows)
  return { stored, failed, lastError }
}
