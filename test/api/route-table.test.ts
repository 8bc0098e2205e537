import test from 'ava'
import type { Endpoint } from '../../api/endpoint.ts'
import { createRouteTable } from '../../api/route-table.ts'

const route = (method: Endpoint['method'], path: string): Endpoint => ({
  method,
  path,
  summary: '',
  tag: '',
  access: 'user',
  responses: {},
  handler: async () => ({ status: 204 })
})

const table = createRouteTable([
  route('get', '/users/:id'),
  route('patch', '/users/:id'),
  route('get', '/users/me'),
  route('get', '/courses/:id/documents'),
  route('delete', '/courses/:id/enrollments/:userId')
])

test('a literal segment goes before a parameter', (t) => {
  t.like(table.match('GET', '/users/me'), { kind: 'endpoint', endpoint: { path: '/users/me' } })
  t.like(table.match('GET', '/users/you'), { endpoint: { path: '/users/:id' }, params: { id: 'you' } })
})

test('parameters are decoded and named by the endpoint', (t) => {
  t.like(table.match('DELETE', '/courses/a%20b/enrollments/c%2Fd/'), { params: { id: 'a b', userId: 'c/d' } })
})

test('HEAD is served by GET, another method is told which are allowed', (t) => {
  t.like(table.match('HEAD', '/users/1'), { endpoint: { method: 'get' } })
  t.deepEqual(table.match('PUT', '/users/1'), {
    kind: 'wrong method',
    pattern: '/users/:id',
    allow: ['GET', 'HEAD', 'OPTIONS', 'PATCH']
  })
})

test('what no route can mean is unknown', (t) => {
  const paths = ['', '/', '/users', '/users/', '/users/1/2', '//users/1', '/users//1', '/users/%E0%A4%A', '/USERS/1']
  for (const path of [...paths, `/users${'/x'.repeat(5_000)}`, '/__proto__', '/users/me/constructor']) {
    t.is(table.match('GET', path).kind, 'unknown', path.slice(0, 40))
  }
})

test('two endpoints of the same method and path are refused at the start', (t) => {
  t.throws(() => createRouteTable([route('get', '/a/:id'), route('get', '/a/:other')]), { message: /is there twice/ })
})
