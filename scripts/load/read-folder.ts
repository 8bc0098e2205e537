import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { PlainError } from './plain-error.ts'

const id = z.string().min(1).max(250)

/** The files of a learning folder, one JSON object a line. Fields that are not named here are left alone. */
const lineSchemas = {
  'courses.jsonl': z.object({
    id,
    title: z.string(),
    description: z.string().nullish(),
    language: z.string().nullish()
  }),
  'documents.jsonl': z.object({ id, course: id, title: z.string(), markdown: z.string() }),
  'tasks.jsonl': z.object({ id, course: id, title: z.string(), instructions: z.string().nullish() }),
  'code-snapshots.jsonl': z.object({ id, task: id, language: z.string(), source: z.string() })
} as const
type FileName = keyof typeof lineSchemas

/** A line as it was read, and where. */
export type Line<T> = T & { at: string }
type LinesOf<F extends FileName> = Line<z.infer<(typeof lineSchemas)[F]>>[]

export type Folder = {
  courses: LinesOf<'courses.jsonl'>
  documents: LinesOf<'documents.jsonl'>
  tasks: LinesOf<'tasks.jsonl'>
  codeSnapshots: LinesOf<'code-snapshots.jsonl'>
}

const maxProblems = 20
const maxLineBytes = 9 * 1024 * 1024

/**
 * Reads a folder with `courses.jsonl` and, where there are any, `documents.jsonl`, `tasks.jsonl` and
 * `code-snapshots.jsonl`.
 * @throws PlainError that names file and line of everything that is wrong
 */
export async function readFolder(path: string): Promise<Folder> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isDirectory()) throw new PlainError(`${path} is not a folder.`)
  const problems: string[] = []
  const folder: Folder = {
    courses: await readLines(path, 'courses.jsonl', problems),
    documents: await readLines(path, 'documents.jsonl', problems),
    tasks: await readLines(path, 'tasks.jsonl', problems),
    codeSnapshots: await readLines(path, 'code-snapshots.jsonl', problems)
  }
  if (problems.length === 0) problems.push(...findBroken(folder))
  if (problems.length > 0) {
    const shown = problems.slice(0, maxProblems)
    const more = problems.length > shown.length ? [`and ${problems.length - shown.length} more`] : []
    throw new PlainError([`${path} cannot be loaded:`, ...[...shown, ...more].map((line) => `  ${line}`)].join('\n'))
  }
  if (folder.courses.length === 0) throw new PlainError(`${join(path, 'courses.jsonl')} has no courses.`)
  return folder
}

async function readLines<F extends FileName>(folder: string, file: F, problems: string[]): Promise<LinesOf<F>> {
  const bytes = await readFile(join(folder, file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && file !== 'courses.jsonl') return undefined
    problems.push(error.code === 'ENOENT' ? `${file} is missing` : `${file} cannot be read (${error.code})`)
    return undefined
  })
  if (!bytes) return []
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    problems.push(`${file} is not UTF-8`)
    return []
  }
  const lines: LinesOf<F> = []
  for (const [index, raw] of text.split('\n').entries()) {
    if (raw.trim() === '') continue
    const at = `${file}:${index + 1}`
    const line = parseLine(lineSchemas[file] as z.ZodType<object>, raw)
    if (typeof line === 'string') problems.push(`${at}  ${line}`)
    else lines.push({ ...line, at } as unknown as LinesOf<F>[number])
  }
  return lines
}

function parseLine<T>(schema: z.ZodType<T>, raw: string): T | string {
  if (Buffer.byteLength(raw) > maxLineBytes) return 'is longer than the 9 MiB that fit into a call'
  let value: unknown
  try {
    value = JSON.parse(raw)
  } catch {
    return 'is not JSON'
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  return result.error.issues.map(({ path, message }) => `${path.join('.') || 'the line'}: ${message}`).join('; ')
}

/** Ids that come twice, and references to what is not there. */
function findBroken({ courses, documents, tasks, codeSnapshots }: Folder): string[] {
  const problems: string[] = []
  const idsOf = (lines: Line<{ id: string }>[]) => {
    const seen = new Map<string, string>()
    for (const { id, at } of lines) {
      const before = seen.get(id)
      if (before) problems.push(`${at}  the id "${id}" stands in ${before} already`)
      else seen.set(id, at)
    }
    return seen
  }
  const courseIds = idsOf(courses)
  const taskIds = idsOf(tasks)
  idsOf(documents)
  idsOf(codeSnapshots)
  for (const { at, course } of [...documents, ...tasks]) {
    if (!courseIds.has(course)) problems.push(`${at}  the course "${course}" is not in courses.jsonl`)
  }
  for (const { at, task } of codeSnapshots) {
    if (!taskIds.has(task)) problems.push(`${at}  the task "${task}" is not in tasks.jsonl`)
  }
  return problems
}
