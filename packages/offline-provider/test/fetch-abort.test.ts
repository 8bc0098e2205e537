import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { createOfflineProvider } from '../src/provider.ts'

test('a request that hangs can be given up also after memory was cleaned up', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const provider = createOfflineProvider({ faults: [{ kind: 'hang', times: null }] })
  const aborters = Array.from({ length: 20 }, () => new AbortController())
  const requests = aborters.map(({ signal }) =>
    provider.fetch('http://offline.invalid/v1/embeddings', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'offline-embedding-small', input: 'hello' }),
      signal
    })
  )
  const ends = Promise.allSettled(requests)
  while (provider.invoice().length < requests.length) await new Promise((resolve) => setTimeout(resolve, 5))
  for (let n = 0; n < 3; n++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const aborter of aborters) aborter.abort(new Error('given up'))
  t.deepEqual(new Set((await ends).map(({ status }) => status)), new Set(['rejected']))
})
