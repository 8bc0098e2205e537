import test from 'ava'
import { createDeltaFeed, type Delta } from '../../../lib/events/delta-feed.ts'
import { createDeltas, deltaKey } from '../../../lib/events/deltas.ts'
import { newId } from '../../../lib/ids.ts'
import { eventually } from '../../helpers/context.ts'
import { createEventStage, type EventStage } from '../../helpers/event-stage.ts'
import { createTcpProxy } from '../../helpers/tcp-proxy.ts'

function startFeed(stage: EventStage, url = stage.isolation.redisUrl) {
  const feed = createDeltaFeed({
    redis: stage.openRedis('commands', url),
    subscriber: stage.openRedis('subscriber', url),
    prefix: stage.prefix,
    log: stage.log
  })
  feed.start()
  stage.closeFirst(() => feed.stop())
  return feed
}

/** What a client makes of it: the texts of the last run since its last reset. */
function contentOf(deltas: Delta[]): string {
  let content = ''
  let run = 0
  for (const delta of deltas) {
    if (delta.type === 'reset' || delta.run !== run) content = ''
    run = delta.run
    if (delta.type === 'delta') content += delta.text
  }
  return content
}

const follow = (feed: ReturnType<typeof startFeed>, jobId: string, afterSeq?: number) => {
  const got: Delta[] = []
  const { catchUp } = feed.follow(jobId, afterSeq, (delta) => void got.push(delta))
  return { got, catchUp }
}

test('pieces arrive in order, gathered but complete, also for one who comes late or again', async (t) => {
  const stage = await createEventStage(t)
  const deltas = createDeltas(stage)
  const feed = startFeed(stage)
  const jobId = newId()
  const early = follow(feed, jobId)
  const writer = deltas.open(jobId, 1)
  let text = ''
  let late: ReturnType<typeof follow> | undefined
  for (let i = 0; i < 300; i++) {
    const piece = `word${i} `
    text += piece
    writer.append(piece)
    if (i % 30 === 0) await eventually(async () => contentOf(early.got) === text)
    if (i === 150) late = follow(feed, jobId)
  }
  await writer.close()
  await eventually(async () => contentOf(early.got) === text && contentOf(late?.got ?? []) === text)
  t.true(early.got.length < 300)
  t.deepEqual(
    early.got.map(({ seq }) => seq),
    early.got.map((_, i) => i + 1)
  )
  // Resumed after what was there, also when the text has come to its end meanwhile.
  const half = early.got[Math.floor(early.got.length / 2)] as Delta
  const again = follow(feed, jobId, half.seq)
  await eventually(async () => again.got.at(-1)?.seq === early.got.at(-1)?.seq)
  t.deepEqual(again.got, early.got.slice(half.seq))
  t.true((await stage.redis.pttl(deltaKey(stage.prefix, jobId))) <= 600_000)
  // One who comes after the end reads the job, not its text.
  const after = follow(feed, jobId)
  const other = follow(feed, jobId, 0)
  await eventually(async () => other.got.length === early.got.length)
  t.deepEqual(after.got, [])
})

test('one who catches up has everything that was written, whatever messages were lost', async (t) => {
  const stage = await createEventStage(t)
  const { redis, prefix, log } = stage
  // Never started, this one hears no message at all.
  const feed = createDeltaFeed({ redis, subscriber: stage.openRedis('subscriber'), prefix, log })
  t.teardown(() => feed.stop())
  const jobId = newId()
  const { got, catchUp } = follow(feed, jobId, 0)
  const writer = createDeltas(stage).open(jobId, 1)
  for (let i = 0; i < 3; i++) {
    writer.append(`word${i} `)
    if (i === 0) await catchUp()
  }
  await writer.close()
  await catchUp()
  t.is(contentOf(got), 'word0 word1 word2 ')
})

test('the first piece goes out at once', async (t) => {
  const stage = await createEventStage(t)
  const feed = startFeed(stage)
  const jobId = newId()
  const { got } = follow(feed, jobId)
  const writer = createDeltas(stage).open(jobId, 1)
  writer.append('a')
  writer.append('b')
  await eventually(async () => got.length === 2)
  t.deepEqual(got, [
    { type: 'delta', run: 1, seq: 1, text: 'a' },
    { type: 'delta', run: 1, seq: 2, text: 'b' }
  ])
  await writer.close()
})

test('a reset takes back what came before it, for those who saw it and for those who did not', async (t) => {
  const stage = await createEventStage(t)
  const feed = startFeed(stage)
  const jobId = newId()
  const early = follow(feed, jobId)
  const writer = createDeltas(stage).open(jobId, 1)
  writer.append('let me look that up')
  await eventually(async () => early.got.length === 1)
  writer.reset()
  writer.append('the answer 🙂'.slice(0, -1))
  writer.append('🙂'.slice(-1))
  await writer.close()
  await eventually(async () => contentOf(early.got) === 'the answer 🙂')
  t.true(early.got.some(({ type }) => type === 'reset'))
  const late = follow(feed, jobId, 0)
  await eventually(async () => late.got.length > 0)
  t.is(contentOf(late.got), 'the answer 🙂')
  t.false(late.got.some((delta) => delta.type === 'delta' && delta.text.includes('look')))
})

test('a new run begins with a reset, its seqs go on, and the run before it can write no more', async (t) => {
  const stage = await createEventStage(t)
  const feed = startFeed(stage)
  const jobId = newId()
  const { got } = follow(feed, jobId)
  const deltas = createDeltas(stage)
  const frozen = deltas.open(jobId, 1)
  frozen.append('first ')
  await eventually(async () => got.length === 1)
  const writer = deltas.open(jobId, 2)
  await eventually(async () => got.length === 2)
  t.deepEqual(got[1], { type: 'reset', run: 2, seq: 2 })
  frozen.append('too late')
  await frozen.close()
  writer.append('second')
  await writer.close()
  await eventually(async () => got.length === 3)
  t.deepEqual(got[2], { type: 'delta', run: 2, seq: 3, text: 'second' })
  t.is(contentOf(got), 'second')
})

test('messages that are lost on the way are read from the stream', async (t) => {
  const stage = await createEventStage(t)
  const proxy = await createTcpProxy(stage.isolation.redisUrl)
  stage.closeFirst(() => proxy.close())
  const feed = startFeed(stage, proxy.url)
  const jobId = newId()
  const { got } = follow(feed, jobId)
  const writer = createDeltas(stage).open(jobId, 1)
  writer.append('one ')
  await eventually(async () => contentOf(got) === 'one ')
  proxy.cut()
  writer.append('two ')
  await eventually(async () => (await stage.redis.xlen(deltaKey(stage.prefix, jobId))) === 2)
  proxy.restore()
  await eventually(async () => contentOf(got) === 'one two ')
  writer.append('three')
  await eventually(async () => contentOf(got) === 'one two three')
  await writer.close()
  t.deepEqual(
    got.map(({ seq }) => seq),
    [1, 2, 3]
  )
})

test('a job goes on while Redis is away, and its text is complete when Redis is back', async (t) => {
  const stage = await createEventStage(t)
  const proxy = await createTcpProxy(stage.isolation.redisUrl)
  stage.closeFirst(() => proxy.close())
  const feed = startFeed(stage)
  const jobId = newId()
  const { got } = follow(feed, jobId)
  const deltas = createDeltas({ ...stage, redis: stage.openRedis('commands', proxy.url) })
  const writer = deltas.open(jobId, 1)
  writer.append('one ')
  await eventually(async () => got.length === 1)
  proxy.cut()
  writer.append('two ')
  writer.append('three ')
  proxy.restore()
  await eventually(async () => contentOf(got) === 'one two three ')
  // Emptied in the middle: what was said is said again.
  await stage.redis.del(deltaKey(stage.prefix, jobId))
  writer.append('four')
  await eventually(async () => contentOf(got) === 'one two three four')
  const late = follow(feed, jobId)
  await eventually(async () => contentOf(late.got) === 'one two three four')

  proxy.cut()
  // A second is what the end of a text has; a busy machine may make one of them late, not all.
  const took: number[] = []
  for (const last of [writer, deltas.open(newId(), 1), deltas.open(newId(), 1)]) {
    last.append('five')
    const began = performance.now()
    await last.close()
    took.push(performance.now() - began)
  }
  t.true(Math.min(...took) < 1_500, `${took.join(', ')} ms`)
})
