import { readFile } from 'node:fs/promises'
import test from 'ava'
import { runningApiForFile } from '../helpers/running-api.ts'

const { api } = runningApiForFile(test)

test('docs/api.md lists the routes that the API has, and no other', async (t) => {
  const page = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8')
  const listed = [...page.matchAll(/`((?:(?:GET|POST|PUT|PATCH|DELETE) )+)(\/[^`]*)`/g)].flatMap(
    ([, methods = '', path = '']) =>
      methods
        .trim()
        .split(' ')
        .map((method) => `${method} ${path}`)
  )
  const document = (await (await fetch(`${api().url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, object>>
  }
  const served = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/^\/api\/v1(?=\/)/, '')}`)
  )
  t.deepEqual([...new Set(listed)].toSorted(), served.toSorted())
})

test('docs/architecture.md names every table that there is', async (t) => {
  const page = await readFile(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  const { knex, isolation } = api().context
  const tables = (await knex('information_schema.tables')
    .where({ table_schema: isolation.schema })
    .whereNot({ table_type: 'VIEW' })
    .pluck('table_name')) as string[]
  t.true(tables.length > 40)
  const own = tables.filter((name) => !name.startsWith('migrations'))
  t.deepEqual(
    own.filter((name) => !page.includes(`\`${name}\``)),
    []
  )
})
