import type { Conversation } from './conversation.ts'
import { likeness, sketch } from './sketch.ts'
import { listedTitles, tidyTitle, topicOf } from './titles.ts'
import { isSpanish } from './words.ts'

/** `source` is the number of the passage a task comes from. */
export type PlannedTask = { title: string; description: string; source?: number }

const FEWEST = 3
const MOST = 7

/** Passages that have less than this in common with the topic make no tasks. */
const NEAR = 0.1

/**
 * Three to seven tasks for the goal of a conversation. In this order: the list in the user's message, the list in the
 * assistant's last message, the titles of the passages that have to do with it, and five steps that fit any topic.
 */
export function planTasks(conversation: Conversation): PlannedTask[] {
  const { asked, lastAssistant } = conversation
  const spanish = isSpanish(asked)
  const topic = topicOf(asked) || goalInContext(conversation) || (spanish ? 'el objetivo' : 'the goal')
  const listed = listedTitles(asked)
  if (listed.length > 0) return atLeast(listed.slice(0, MOST).map(plainTask), topic, spanish)
  const proposed = /\b(?:plan|tasks?|steps?|them|these|those|tareas?|pasos?|estos|estas)\b/i.test(asked)
    ? listedTitles(lastAssistant)
    : []
  if (proposed.length >= FEWEST) return proposed.slice(0, MOST).map((title) => plainTask(title.split(': ')[0] ?? title))
  return atLeast(tasksFromPassages(conversation, topic, spanish).slice(0, MOST - 2), topic, spanish)
}

function tasksFromPassages({ passages }: Conversation, topic: string, spanish: boolean): PlannedTask[] {
  const about = sketch(topic)
  const near = passages.filter(
    ({ title, content, type }) =>
      title !== '' && type !== 'goal' && likeness(about, sketch(`${title}\n${content.slice(0, 1_000)}`)) >= NEAR
  )
  const tasks = near.map(({ n, title }) => ({
    title: tidyTitle(spanish ? `Trabaja ${title}` : `Work through ${title}`),
    description: spanish ? 'Léelo y resuélvelo por tu cuenta.' : 'Read it and solve it yourself.',
    source: n
  }))
  const titles = new Set<string>()
  return tasks.filter(({ title }) => titles.size < titles.add(title).size)
}

/** The goal among the passages, else the one that system messages speak of: `<goal …>` elements (its `title`, or its first line) or "goal: …". */
function goalInContext({ system, passages }: Conversation): string {
  const found = passages.find(({ type, title }) => type === 'goal' && title !== '')
  if (found) return topicOf(found.title)
  const element = /<goal\b([^<>]{0,2000})>\s*([^\n<]*)/i.exec(system)
  const title = /\btitle="([^"]+)"/i.exec(element?.[1] ?? '')?.[1] ?? element?.[2]
  const named = /\bgoal(?: title)?\s*(?:is|:)\s*["“]?([^"”\n]+)/i.exec(system)?.[1]
  return topicOf(title || named || '')
}

const plainTask = (title: string): PlannedTask => ({ title, description: `${title}.` })

function atLeast(tasks: PlannedTask[], topic: string, spanish: boolean): PlannedTask[] {
  if (tasks.length >= FEWEST) return tasks
  return [...tasks, ...(spanish ? spanishStepsFor(topic) : stepsFor(topic))].slice(0, Math.max(5, FEWEST))
}

function stepsFor(topic: string): PlannedTask[] {
  return [
    {
      title: tidyTitle(`Read the basics of ${topic}`),
      description: `Find out what ${topic} is and note the words that are new.`
    },
    {
      title: tidyTitle(`Follow worked examples of ${topic}`),
      description: 'Type the examples yourself and change one thing at a time.'
    },
    {
      title: tidyTitle(`Practise ${topic} with small exercises`),
      description: 'Solve exercises from easy to hard without looking up the answers.'
    },
    {
      title: tidyTitle(`Build something small with ${topic}`),
      description: 'Choose a small piece of work of your own and finish it.'
    },
    { title: tidyTitle(`Review ${topic}`), description: 'Go through your notes and code, and list what to repeat.' }
  ]
}

function spanishStepsFor(topic: string): PlannedTask[] {
  return [
    {
      title: tidyTitle(`Lee lo básico de ${topic}`),
      description: `Averigua qué es ${topic} y anota las palabras nuevas.`
    },
    {
      title: tidyTitle(`Sigue ejemplos resueltos de ${topic}`),
      description: 'Escribe los ejemplos y cambia una cosa cada vez.'
    },
    {
      title: tidyTitle(`Practica ${topic} con ejercicios cortos`),
      description: 'Resuelve ejercicios de fácil a difícil sin mirar las respuestas.'
    },
    {
      title: tidyTitle(`Construye algo pequeño con ${topic}`),
      description: 'Elige un trabajo pequeño y termínalo.'
    },
    { title: tidyTitle(`Repasa ${topic}`), description: 'Relee tus notas y tu código, y anota qué repetir.' }
  ]
}
