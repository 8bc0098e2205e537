import type { Conversation } from './conversation.ts'
import { listedTitles, tidyTitle, topicOf } from './titles.ts'

export type PlannedTask = { title: string; description: string }

const FEWEST = 3
const MOST = 7

/**
 * Three to seven tasks for the goal of a conversation. In this order: the list in the user's message, the list in the
 * assistant's last message, the titles of the passages, and five steps that fit any topic.
 */
export function planTasks({ asked, lastAssistant, passages }: Conversation): PlannedTask[] {
  const topic = topicOf(asked)
  const listed = listedTitles(asked)
  if (listed.length > 0) return atLeast(listed.slice(0, MOST).map(plainTask), topic)
  const proposed = /\b(?:plan|tasks?|steps?|them|these|those)\b/i.test(asked) ? listedTitles(lastAssistant) : []
  if (proposed.length >= FEWEST) return proposed.slice(0, MOST).map(plainTask)
  const sources = passages
    .filter(({ title }) => title !== '')
    .map(({ n, title }) => ({
      title: tidyTitle(`Work through ${title}`),
      description: `Read it and solve it yourself [${n}].`
    }))
  const distinct = sources.filter((task, index) => sources.findIndex((other) => other.title === task.title) === index)
  return atLeast(distinct.slice(0, MOST - 2), topic)
}

const plainTask = (title: string): PlannedTask => ({ title, description: `${title}.` })

function atLeast(tasks: PlannedTask[], topic: string): PlannedTask[] {
  if (tasks.length >= FEWEST) return tasks
  return [...tasks, ...stepsFor(topic)].slice(0, Math.max(5, FEWEST))
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
