import { actionOf, type AiAction, type ResultOf } from '../../lib/actions/actions.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import type { Client } from '../load/client.ts'
import { type Printer, shorten } from './printer.ts'

type Needs = { client: Client; print: Printer }

async function run<A extends AiAction>({ client, print }: Needs, action: A, body: object) {
  const { route } = actionOf(action)
  print.request(route, body)
  const job = await client.run(route, body)
  print.line()
  return { job, result: job.result as ResultOf<A> }
}

/** One text becomes a vector. */
export async function showEmbedding(needs: Needs): Promise<JobView> {
  const { print } = needs
  print.heading('One embedding')
  const { job, result } = await run(needs, 'embedding_generation', {
    input: 'How do I find a number in a sorted list?'
  })
  const { model, dimensions, embeddings = [] } = result
  const [vector = []] = embeddings
  const beginning = Array.isArray(vector) ? vector.slice(0, 6).map((value) => value.toFixed(4)) : []
  print.text(`${model}, ${dimensions} dimensions: [${beginning.join(', ')}, …]`)
  print.cost(job)
  return job
}

/** The nearest passages of what was loaded. */
export async function showSearch(needs: Needs): Promise<JobView> {
  const { print } = needs
  print.heading('One search')
  const { job, result } = await run(needs, 'rag_search', { query: 'brackets that close in the right order', limit: 5 })
  const { strategy, hits } = result
  for (const { score, sourceType, title, content } of hits) {
    print.line(
      `  ${score.toFixed(3)}  ${sourceType.padEnd(13)}  ${shorten(title, 40).padEnd(40)}  ${shorten(content, 34)}`
    )
  }
  print.text(`${hits.length} hits, ${strategy} search`)
  print.cost(job)
  return job
}

/** A question that is answered from the course, with what the answer rests on. */
export async function showChat(needs: Needs, courseId: string): Promise<JobView> {
  const { print } = needs
  print.heading('One chat')
  const message = 'Why is a Map better than a plain object for counting words?'
  const { job, result } = await run(needs, 'chat_completion', { message, courseId })
  const { agent, message: answer, citations, steps } = result
  print.text(`${agent}: ${answer.content}`)
  for (const { n, sourceType, title } of citations) print.line(`  [${n}] ${sourceType}: ${title}`)
  print.text(`steps: ${steps.map(({ node, tool }) => (tool ? `${node} (${tool})` : node)).join(' → ')}`)
  print.cost(job)
  return job
}

const unfinished = `export function balanced(text) {
  const open = []
  for (const character of text) {
    if ('([{'.includes(character)) open.push(character)
    else if (')]}'.includes(character)) open.pop()
  }
  return open.length == 0
}
`

/** A solution that forgets to compare the brackets, looked at by a reviewer who knows the task. */
export async function showValidation(needs: Needs, taskId: string): Promise<JobView> {
  const { print } = needs
  print.heading('One code validation')
  const { job, result } = await run(needs, 'code_validation', { language: 'javascript', source: unfinished, taskId })
  const { verdict, score, summary, issues } = result
  print.text(`${verdict}, ${score} of 100: ${summary}`)
  for (const { line, severity, message } of issues) print.text(`line ${line}, ${severity}: ${message}`)
  print.cost(job)
  return job
}
