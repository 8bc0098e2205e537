/** Results beyond this many bytes, as JSON or on disk, are in no list and no event: `GET /jobs/:id` has them. */
export const largeResultBytes = 64 * 1024

/** A job without its result where that takes more: then with `result: null` and `resultOmitted: true`. */
export function withoutLargeResult<T extends { result?: unknown }>(job: T): T {
  const { result } = job
  if (result === null || result === undefined) return job
  if (Buffer.byteLength(JSON.stringify(result)) <= largeResultBytes) return job
  return { ...job, result: null, resultOmitted: true }
}
