import { withoutMarks } from '@goals/text'
import type { Conversation } from './conversation.ts'
import { stem } from './stem.ts'
import { wordsOf } from './features.ts'
import { isFunctionWord } from './words.ts'

type Intent = 'plan' | 'review' | 'tutor'

const INTENT_WORDS: Record<Intent, readonly string[]> = {
  plan: words(
    'plan planner schedule roadmap milestone breakdown organise organize prioritise prioritize curriculum task goal step week deadline ' +
      'planifica planificar organiza organizar objetivo objetivos meta metas tarea tareas paso pasos semana plazo'
  ),
  review: words(
    'review reviewer check bug bugs improve refactor feedback critique validate snapshot lint mistake wrong broken fix grade submission ' +
      'revisa revisar comprueba error errores mejora mejorar corrige corregir'
  ),
  tutor: words(
    'explain why how what teach understand mean meaning example difference help hint stuck describe tell learn tutor ' +
      'explica explicar explicame ensena entender significa ejemplo diferencia ayuda pista'
  )
}
const STRONG: Record<Intent, RegExp> = {
  plan: /\b(?:break (?:it|this|that|.{1,40}) down|make (?:me )?a plan|plan (?:for|to|my|the|out)|(?:create|add|make|write) (?:me )?(?:some |\w+ |the )?(?:tasks?|goals?|steps?)|study plan|haz(?:me)? un plan|plan (?:para|de estudios?)|(?:crea|anade|agrega|haz|escribe)(?:me)? (?:\w+ )?(?:tareas?|objetivos?|metas?|pasos?)|(?:divide|desglosa)\b.{1,40}\b(?:tareas|pasos))\b/i,
  review:
    /\b(?:revisa|comprueba|mejora|corrige|review|check|look (?:at|over)|what(?:'s| is) wrong with|improve|refactor|feedback on)\b.{0,40}\b(?:code|solution|function|program|snapshot|implementation|script|class|codigo|solucion|funcion|programa|clase)\b/i,
  tutor:
    /^[^a-z]*(?:what|why|how|when|which|who|explain|describe|can you explain|que|por que|como|cuando|cual|quien|explica|explicame)\b|\b(?:stuck|hints?|atascad[oa]|pistas?)\b/i
}
const NAMES: Record<Intent, RegExp> = {
  plan: /plan|goal|task|schedul/i,
  review: /review|critic|code|valid|check/i,
  tutor: /tutor|teach|explain|answer|chat|general|assist|default/i
}

/**
 * The name among `choices` that fits what the user asks for, by intent words: planning, reviewing (code in the message
 * counts), or explaining, which is also the answer when no word decides. Other names win by their own words.
 */
export function chooseRoute(choices: readonly string[], { asked, lastUser }: Conversation): string {
  const intent = intentOf(asked, /```|^[ \t]*(?:function|def|class|const|import)\b/m.test(lastUser))
  const named = choices.find((choice) => NAMES[intent].test(choice))
  const spoken = new Set(wordsOf(asked).map((word) => word.stem))
  const own = choices.find((choice) => !isIntentName(choice) && wordsOf(choice).some((word) => spoken.has(word.stem)))
  return own ?? named ?? choices.find((choice) => NAMES.tutor.test(choice)) ?? choices[0] ?? ''
}

export function intentOf(asked: string, hasCode: boolean): Intent {
  const scores: Record<Intent, number> = { plan: 0, review: hasCode ? 1.5 : 0, tutor: 0.5 }
  for (const word of wordsOf(asked)) {
    for (const intent of ['plan', 'review', 'tutor'] as const)
      if (INTENT_WORDS[intent].includes(word.stem)) scores[intent] += 1
  }
  for (const intent of ['plan', 'review', 'tutor'] as const)
    if (STRONG[intent].test(withoutMarks(asked.trim()))) scores[intent] += 2
  if (scores.plan > scores.tutor && scores.plan >= scores.review) return 'plan'
  return scores.review > scores.tutor ? 'review' : 'tutor'
}

/** Whether the user asks in so many words for a plan, a review or an explanation. */
export function asksFor(intent: Intent, asked: string): boolean {
  return STRONG[intent].test(withoutMarks(asked.trim()))
}

/** Whether all it says is that the user wants help with what is at hand: stuck, a hint, how to begin. */
export function asksForHelp(asked: string): boolean {
  const said = wordsOf(asked).filter(({ surface }) => !isFunctionWord(surface))
  return said.some(({ stem: word }) => HELP_WORDS.has(word)) && said.every(({ stem: word }) => ASKING_WORDS.has(word))
}

const HELP_WORDS = new Set(words('stuck hint help solve solution begin start approach continue understand'))
const ASKING_WORDS = new Set([
  ...HELP_WORDS,
  ...words('task exercise problem give need get know idea please don doesn isn bit little some next step')
])

const isIntentName = (choice: string) => Object.values(NAMES).some((pattern) => pattern.test(choice))

function words(list: string): string[] {
  return [...new Set(list.split(' ').map(stem))]
}
