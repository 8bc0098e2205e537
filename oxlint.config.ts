import { readdirSync } from 'node:fs'
import { sep } from 'node:path'
import { defineConfig } from 'oxlint'

/**
 * The floors of `lib/`, lowest first: a room imports from its own floor and from those below. Rooms of one floor may
 * know each other; that files do not go in circles is `import/no-cycle`'s business. A name that ends in `.ts` is a file
 * that stands beside the rooms.
 */
const floors = [
  ['errors', 'text', 'ids.ts', 'log-lines.ts', 'money.ts', 'vector-text.ts'],
  ['etag.ts', 'logger.ts'],
  ['time', 'redis', 'sharing', 'schemas', 'actions', 'batches'],
  ['access', 'usage', 'code', 'queues', 'gate'],
  ['config.ts'],
  ['store'],
  ['dead-letters', 'background', 'budgets'],
  ['events'],
  ['auth', 'models', 'webhooks', 'records'],
  ['jobs', 'threads'],
  ['rag', 'admin'],
  ['context.ts'],
  ['process.ts']
]
const rooms = floors.flat()
const files = readdirSync(new URL('./lib/', import.meta.url), { recursive: true, encoding: 'utf8' })
const homeless = files.filter((file) => file.endsWith('.ts') && !rooms.includes(file.split(sep)[0] as string))
if (homeless.length > 0)
  throw new Error(`No floor of oxlint.config.ts has ${homeless.map((file) => `lib/${file}`).join(', ')}`)

/** Outside of `lib/`. None of it is imported by a room. */
const outside = ['api', 'workers', 'scripts', 'bench', 'test', 'migrations', 'console']

type Pattern = { regex: string; message: string }

const escaped = (names: string[]) => names.map((name) => name.replace('.', '\\.')).join('|')
const restrict = (files: string[], patterns: Pattern[]) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns }] as ['error', { patterns: Pattern[] }] }
})

const packages = {
  regex: '/packages/',
  message: 'A package is imported by its name, through its entry.'
}

/** What a file so many folders below `lib/` must not import, when its room may know nothing of `above`. */
function boundsAt(depth: number, room: string, above: string[]) {
  const up = depth === 0 ? '\\./' : '\\.\\./'.repeat(depth)
  const files = depth === 0 ? `lib/${room}` : `lib/${room}/${'*/'.repeat(depth - 1)}*.ts`
  return restrict(
    [files],
    [
      packages,
      { regex: `^(\\.\\./)+(${escaped(outside)})/`, message: 'lib/ is used by api/ and workers/, and knows neither.' },
      ...(above.length === 0
        ? []
        : [
            {
              regex: `^${up}(${escaped(above)})(/|$)`,
              message: `lib/${room} stands on a lower floor (oxlint.config.ts).`
            }
          ])
    ]
  )
}

const boundsOfLib = rooms.flatMap((room) => {
  const floor = floors.findIndex((names) => names.includes(room))
  const above = floors.slice(floor + 1).flat()
  return (room.endsWith('.ts') ? [0] : [1, 2, 3]).map((depth) => boundsAt(depth, room, above))
})

/** `api/` and `workers/` are processes of their own that meet in the database, in Redis and on the broker. */
const stranger = (own: string, other: string) =>
  restrict(
    [`${own}/**`],
    [packages, { regex: `^(\\.\\./)+(${other}|scripts|bench|test)/`, message: `${own}/ does not know ${other}/.` }]
  )

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise'],
  categories: { correctness: 'error' },
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'off',
    'typescript/await-thenable': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/consistent-type-imports': 'error',
    'import/no-cycle': 'error',
    eqeqeq: 'error',
    'no-console': 'error',
    'no-empty': 'error',
    'prefer-const': 'error',
    'typescript/unbound-method': 'off'
  },
  overrides: [
    restrict(
      ['packages/**'],
      [
        {
          regex: '/(api|workers|lib|scripts|bench|migrations)/',
          message: 'A package imports nothing of the platform.'
        }
      ]
    ),
    restrict(['scripts/**'], [packages]),
    restrict(['bench/**'], [packages]),
    stranger('api', 'workers'),
    stranger('workers', 'api'),
    ...boundsOfLib,
    { files: ['scripts/**', 'bench/**'], rules: { 'no-console': 'off' } }
  ],
  ignorePatterns: ['node_modules', '.data', 'coverage']
})
