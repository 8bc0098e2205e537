import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { vectorBytes } from '../../../lib/store/search/vector-bytes.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'
import { createRandom, insertRows, type RawRow, randomVector } from './vectors.ts'

const context = contextForFile(test)

/** Searches in all, at least; asked many at a time, so that the round trips do not take the time. */
const searches = Number(process.env['RANDOM_SEARCHES'] ?? 4_000)
const batch = 250

type Hit = { search: number; owner_id: string; course_id: string | null; scope: string; source_type: string }

test.serial('thousands of random searches over many users and courses return no foreign row', async (t) => {
  t.timeout(300_000)
  const { knex } = context()
  const random = createRandom(2_026)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T

  const users: string[] = []
  for (let n = 0; n < 30; n++) users.push(await newUser(context(), n === 0 ? 'admin' : 'user'))
  const courses = Array.from({ length: 20 }, () => ({
    id: newId(),
    owner: pick(users),
    visibility: pick(['private', 'enrolled', 'public'] as const)
  }))
  await knex('courses').insert(
    courses.map(({ id, owner, visibility }) => ({ id, owner_id: owner, title: 'Course', visibility }))
  )
  const enrolled = new Set<string>()
  for (const { id } of courses) for (const user of users) if (random() < 0.15) enrolled.add(`${id} ${user}`)
  await knex('enrollments').insert(
    [...enrolled].map((pair) => ({ course_id: pair.split(' ')[0], user_id: pair.split(' ')[1] }))
  )
  const words = ['loop', 'list', 'tree', 'graph', 'sort', 'search', 'hash', 'queue']
  const rows = Array.from({ length: 1_500 }, (): RawRow => {
    const course = random() < 0.6 ? pick(courses) : undefined
    const document = random() < 0.3
    const text = `${pick(words)} ${pick(words)}`
    const vector = randomVector(random)
    if (!document) {
      const sourceType = pick(['goal', 'task', 'code_snapshot'] as const)
      return { sourceType, ownerId: pick(users), courseId: course?.id ?? null, scope: 'user', text, vector }
    }
    const ownerId = course?.owner ?? (users[0] as string)
    return {
      sourceType: 'document',
      ownerId,
      courseId: course?.id ?? null,
      scope: course ? 'course' : 'global',
      text,
      vector
    }
  })
  await insertRows(knex, rows)
  await knex.raw('analyze embeddings')

  const courseOf = new Map(courses.map((course) => [course.id, course]))
  const sees = (user: string, id: string) => {
    const course = courseOf.get(id)
    return (
      course !== undefined &&
      (course.owner === user || course.visibility === 'public' || enrolled.has(`${id} ${user}`) || user === users[0])
    )
  }
  const allowed = (hit: Hit, scope: string, user: string | null, course: string | null): boolean => {
    const document = hit.source_type === 'document'
    if (scope === 'user') return hit.owner_id === user
    if (scope === 'course') {
      return (
        user !== null &&
        course !== null &&
        sees(user, course) &&
        hit.course_id === course &&
        (document || hit.owner_id === user)
      )
    }
    if (scope === 'global') {
      return document && (hit.course_id === null || courseOf.get(hit.course_id)?.visibility === 'public')
    }
    return false
  }
  const expected = (scope: string, user: string | null, course: string | null): number =>
    rows.filter((row) =>
      allowed(
        {
          search: 0,
          owner_id: row.ownerId,
          course_id: row.courseId ?? null,
          scope: row.scope,
          source_type: row.sourceType
        },
        scope,
        user,
        course
      )
    ).length

  let asked = 0
  let found = 0
  let foreign = 0
  let tooFew = 0
  const strategies = { exact: 0, hnsw: 0 }
  const searchMany = async () => {
    const wanted = Array.from({ length: batch }, (_, search) => ({
      search,
      scope: pick(['user', 'course', 'course', 'global', 'none', 'COURSE', '']),
      user: random() < 0.97 ? pick(users) : random() < 0.5 ? newId() : null,
      course: random() < 0.85 ? pick(courses).id : random() < 0.5 ? newId() : null,
      words: random() < 0.4 ? `${pick(words)} ${pick(words)}` : null,
      types: random() < 0.3 ? [pick(['goal', 'task', 'code_snapshot', 'document'])] : null,
      // Some go through the index although their scopes are small.
      exact: random() < 0.98 ? 5_000 : 0
    }))
    const { rows: hits } = (await knex.raw(
      `select q.search::int, h.strategy, h.owner_id, e.course_id, e.scope, h.source_type
      from jsonb_to_recordset(?::jsonb) as q(search int, scope text, "user" uuid, course uuid, words text, types text[], exact int)
      cross join lateral search_embeddings(q.scope, q."user", q.course, 'test-model', ?::vector, q.words, null, null, q.types,
        null, null, null, null, 5, q.exact, 1, 2) h
      join embeddings e on e.source_type = h.source_type and e.source_id = h.source_id and e.chunk = h.chunk`,
      [JSON.stringify(wanted), vectorBytes(randomVector(random))]
    )) as { rows: (Hit & { strategy: 'exact' | 'hnsw' })[] }
    const counts = new Map<number, number>()
    for (const hit of hits) {
      const { scope, user, course } = wanted[hit.search] as (typeof wanted)[number]
      if (!allowed(hit, scope, user, course)) foreign += 1
      strategies[hit.strategy] += 1
      counts.set(hit.search, (counts.get(hit.search) ?? 0) + 1)
    }
    for (const { search, scope, user, course, types } of wanted.slice(0, 10)) {
      if (types === null && (counts.get(search) ?? 0) < Math.min(5, expected(scope, user, course))) tooFew += 1
    }
    asked += batch
    found += hits.length
  }
  while (asked < searches) await Promise.all([searchMany(), searchMany()])
  t.is(foreign, 0)
  t.is(tooFew, 0, 'as many as asked for whenever there are as many')
  t.true(found > searches)
  t.true(strategies.exact > 0 && strategies.hnsw > 0)
  t.log(`${asked} searches, ${found} hits`, strategies)
})

test.serial('a scope with a part missing finds nothing', async (t) => {
  const { knex } = context()
  const vector = vectorBytes(randomVector(createRandom(1)))
  for (const [scope, user, course] of [
    ['user', null, null],
    ['course', newId(), null],
    ['course', null, newId()],
    ['none', newId(), newId()],
    [null, newId(), newId()],
    ["' or true --", newId(), newId()]
  ]) {
    const { rows } = await knex.raw(
      `select * from search_embeddings(?, ?::uuid, ?::uuid, 'test-model', ?::vector, 'loop', null, null, null, null, null, null,
        null, 5, 5000, 1, 2)`,
      [scope, user, course, vector] as never
    )
    t.deepEqual(rows, [])
  }
})
