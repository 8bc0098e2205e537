/** What a browser's EventSource would have got from a stream. */
export type StreamClient = {
  status: number
  headers: Headers
  frames: { id?: string; event?: string; data: Record<string, unknown> }[]
  comments: string[]
  /** Resolves when the server has ended the stream. */
  ended: Promise<void>
  stop(): void
}

export async function openStream(
  url: string,
  { token, lastEventId }: { token: string; lastEventId?: string }
): Promise<StreamClient> {
  const stopping = new AbortController()
  const response = await fetch(url, {
    signal: stopping.signal,
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId })
    }
  })
  const frames: StreamClient['frames'] = []
  const comments: string[] = []

  async function read(): Promise<void> {
    if (!response.body) return
    let buffered = ''
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (buffered + chunk).split('\n\n')
      buffered = blocks.pop() ?? ''
      for (const block of blocks) {
        if (block.startsWith(':')) comments.push(block)
        else frames.push(toFrame(block))
      }
    }
  }
  const ended = read().catch((error: Error) => {
    if (!stopping.signal.aborted) throw error
  })
  return { status: response.status, headers: response.headers, frames, comments, ended, stop: () => stopping.abort() }
}

function toFrame(block: string): StreamClient['frames'][number] {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)])
  )
  return { ...fields, data: JSON.parse(fields.data ?? 'null') }
}
