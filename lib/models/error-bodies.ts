/** What of an error's body is read: more than any server says. */
const mostBytes = 64 * 1024

/**
 * `fetch` whose errors come as the SDK reads them: at most 64 KiB of them, and JSON without an `error` member
 * (Mistral, FastAPI's `detail`, older vLLM) inside of one, because the SDK keeps nothing else.
 */
export function withErrorBodies(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (response.ok) return response
    const text = await beginningOf(response)
    const headers = new Headers(response.headers)
    // of the body as it was sent
    for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) headers.delete(name)
    const { status, statusText } = response
    return new Response(status === 204 || status === 304 ? null : wrapped(text), { status, statusText, headers })
  }
}

async function beginningOf({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body ?? []) {
    parts.push(part as Uint8Array)
    size += (part as Uint8Array).byteLength
    if (size >= mostBytes) break // leaving the loop cancels the rest
  }
  return Buffer.concat(parts).toString('utf8', 0, mostBytes)
}

function wrapped(text: string): string {
  try {
    const value = JSON.parse(text) as unknown
    if (typeof value !== 'object' || value === null) return JSON.stringify({ error: { message: String(value) } })
    if ('error' in value && value.error) return text
    return JSON.stringify({ error: value })
  } catch {
    return text
  }
}
