import test from 'ava'
import { etagOf, namesEtag, requireMatch } from '../../lib/etag.ts'

const view = { id: '1', name: 'one' }
const etag = etagOf(view)

test('a tag is the same for the same representation and another for another', (t) => {
  t.regex(etag, /^"[\w-]{27}"$/)
  t.is(etagOf({ ...view }), etag)
  t.not(etagOf({ ...view, name: 'two' }), etag)
})

test('If-Match compares strongly, If-None-Match weakly, and a star names anything', (t) => {
  t.true(namesEtag(etag, etag))
  t.true(namesEtag(`"x", ${etag}`, etag))
  t.true(namesEtag(' * ', etag))
  t.false(namesEtag(`W/${etag}`, etag))
  t.true(namesEtag(`W/${etag}`, etag, { weak: true }))
  t.false(namesEtag('', etag))
  t.false(namesEtag(etag.slice(1, -1), etag))
})

test('a change without If-Match goes on, one with an old tag is told the tag that holds', (t) => {
  t.notThrows(() => requireMatch(undefined, view))
  t.notThrows(() => requireMatch(etag, view))
  const error = t.throws(() => requireMatch('"old"', view))
  t.like(error, { code: 'precondition_failed', status: 412, extras: { headers: { ETag: etag } } })
})
