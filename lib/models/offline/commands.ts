/**
 * What a user's message asks to be done to goals and tasks. Sentences that ask how or what ("How do I add a task?") ask
 * for nothing to be done.
 */
export type Commands = { createGoal: boolean; createTasks: boolean; finish: boolean; alter: boolean }

const QUESTION = /^\W*(?:how|what|why|when|which|who|where|is|are|does|do|did|should|explain|tell)\b/i
const CREATE_GOAL =
  /\b(?:create|add|make|save|set up)\s+(?:me\s+)?(?:a|an|the|this|another|one|two|three)?\s*(?:(?:new|learning|study|following)\s+)*goals?\b/i
const CREATE_TASKS =
  /\b(?:create|add|make|write|save|store|set up)\b[^!?]{0,80}\b(?:tasks?|steps?)\b|\bplan\b[^!?]{0,80}\b(?:save|store|create|add)\b|\b(?:save|store|create|add)\b[^!?]{0,40}\bplan\b|\b(?:break|split|turn)\b[^!?]{0,80}\b(?:tasks?|steps?|down)\b/i
const FINISH =
  /\b(?:mark|complete|completed|finish|finished|done with|tick off)\b[^.!?]{0,80}\b(?:tasks?|goals?|exercises?)\b|\b(?:task|goal|exercise)\b[^.!?]{0,80}\b(?:completed?|finished|done)\b/i
const ALTER = /\b(?:rename|change|update|archive|move|set)\b[^.!?]{0,80}\b(?:tasks?|goals?)\b/i

export function commandsIn(asked: string): Commands {
  const orders = asked
    .slice(0, 4_000)
    .split(/(?<=[.!?])\s+|\n+/)
    .filter((sentence) => !QUESTION.test(sentence))
    .join(' ')
  return {
    createGoal: CREATE_GOAL.test(orders),
    createTasks: CREATE_TASKS.test(orders),
    finish: FINISH.test(orders),
    alter: ALTER.test(orders)
  }
}

export function asksForChanges(asked: string): boolean {
  return Object.values(commandsIn(asked)).some(Boolean)
}
