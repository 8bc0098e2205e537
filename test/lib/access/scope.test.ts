import test from 'ava'
import { createScopes, inCourse, isScope } from '../../../lib/access/scope.ts'

const seen = 'a course that is seen'
const scopes = createScopes({
  access: { visibleCourse: async (_person, courseId) => (courseId === seen ? { id: courseId } : undefined) }
})
const person = { id: 'a user', role: 'user' as const }

test('a scope is of one person and says whose', async (t) => {
  t.like(await scopes.for(person, { scope: 'user' }), { kind: 'user', userId: person.id, role: 'user' })
  t.like(await scopes.for(person, { scope: 'global' }), { kind: 'global', userId: person.id })
  t.like(await scopes.for(person, { scope: 'course', courseId: seen }), { kind: 'course', courseId: seen })
})

test('a course that is not seen is refused before a job, whatever the scope is', async (t) => {
  for (const scope of ['user', 'course', 'global'] as const) {
    const error = await t.throwsAsync(scopes.for(person, { scope, courseId: 'another' }))
    t.like(error, { code: 'invalid', extras: { errors: [{ path: 'courseId' }] } })
  }
})

test('at work a course that is not seen makes a scope that finds nothing', async (t) => {
  t.like(await scopes.forRun(person, { scope: 'course', courseId: 'another' }), { kind: 'none' })
  t.like(await scopes.forRun(person, { scope: 'user', courseId: 'another' }), { kind: 'none' })
  t.like(await scopes.forRun(person, { scope: 'course' }), { kind: 'none' })
})

test('a scope that finds nothing stays one', async (t) => {
  const none = await scopes.forRun(person, { scope: 'course', courseId: 'another' })
  t.is(inCourse(none, seen).kind, 'none')
})

test('what only looks like a scope is none', async (t) => {
  t.true(isScope(await scopes.for(person, { scope: 'user' })))
  for (const value of [{ kind: 'user', userId: 'a user', role: 'user' }, undefined, null, 'user'])
    t.false(isScope(value))
  t.false(isScope(JSON.parse(JSON.stringify(await scopes.for(person, { scope: 'user' })))))
})
