import { evenSpaces, withoutMarks } from './plain-letters.ts'

/**
 * What a user's message asks to be done to goals and tasks, in English or Spanish. Sentences that ask how or what ("How
 * do I add a task?") ask for nothing to be done, nor do those that say not to.
 */
export type Commands = { createGoal: boolean; createTasks: boolean; finish: boolean; alter: boolean }

/** Spanish is looked at without the marks on its letters. */
const QUESTION =
  /^\W*(?:how|what|why|when|which|who|where|is|are|does|do|did|should|explain|tell|show|list|display|search|muestra|muestrame|lista|como|que|cual|cuales|cuando|donde|quien|quienes|por que|es|son|deberia|explica|explicame|dime)\b/i
const REFUSAL =
  /(?:\b(?:not|never|no)|n['’]?t)\s+(?:(?:ever|yet|been|quite|he|esta|estan|lo|la)\s+){0,3}(?:create|add|make|save|change|update|rename|mark|complete|completed|move|archive|finished|done|crees|anadas|guardes|cambies|marques|archives|terminado|terminada|completado|completada|hecha|hecho)\b/i
const CREATE_GOAL = anyOf(
  /\b(?:create|add|make|save|set up)\s+(?:me\s+)?(?:a|an|the|this|another|one|two|three)?\s*(?:(?:new|learning|study|following)\s+)*goals?\b/,
  /\b(?:crea|crear|creame|anade|anadir|anademe|agrega|agregar|agregame|haz|hazme|guarda|guardar|pon|ponme)\s+(?:(?:un|una|el|la|este|esta|otro|otra|dos|tres)\s+)?(?:(?:nuevo|nueva|siguiente)s?\s+)?(?:objetivos?|metas?)\b/,
  /\b(?:save|store|put)\b[^.!?]{0,40}\bas\s+(?:(?:a|an|my|one|new)\s+){0,2}goals?\b/,
  /\b(?:guarda|guardar|guardal[oa]|pon|ponl[oa])\b[^.!?]{0,40}\bcomo\s+(?:(?:un|una|mi|nuevo|nueva)\s+){0,2}(?:objetivo|meta)\b/
)
const CREATE_TASKS = anyOf(
  /\b(?:create|add|make|write|save|store|set up)\b[^!?]{0,80}\b(?:tasks?|steps?)\b/,
  /\badd\b(?![^!?]{0,80}\b(?:date|deadline|description|note)\b)[^!?]{0,80}\bto\s+(?:my|the)\s+goal\b/,
  /\b(?:anade|agrega)\b(?![^!?]{0,80}\b(?:fecha|plazo|descripcion|nota)\b)[^!?]{0,80}\ba\s+(?:mi|la)\s+(?:objetivo|meta)\b/,
  /\bplan\b[^!?]{0,80}\b(?:save|store|create|add)\b/,
  /\b(?:save|store|create|add)\b[^!?]{0,40}\bplan\b/,
  /\b(?:break|split|turn)\b[^!?]{0,80}\b(?:tasks?|steps?|down)\b/,
  /\b(?:crea|crear|creame|anade|anadir|anademe|agrega|agregar|agregame|haz|hazme|escribe|guarda|guardar|pon|ponme)\b[^!?]{0,80}\b(?:tareas?|pasos?)\b/,
  /\b(?:guarda|guardar|crea|crear|anade|agrega)\b[^!?]{0,40}\bplan\b/,
  /\bplan\b[^!?]{0,80}\b(?:guardalo|guarda|crea|anade|agrega)\b/,
  /\b(?:divide|dividir|desglosa|desglosar|convierte|separa)\b[^!?]{0,80}\b(?:tareas?|pasos?)\b/
)
const FINISH = anyOf(
  /\b(?:mark|complete|completed|finish|finished|done with|tick off)\b[^.!?]{0,80}\b(?:tasks?|goals?|exercises?)\b/,
  /\b(?:task|goal|exercise)\b[^.!?]{0,80}\b(?:completed?|finished|done)\b/,
  /\bmark\b[^.!?]{0,160}\bas (?:completed?|finished|done)\b/,
  /\b(?:tick|check) off\b/,
  /\bset\b[^.!?]{0,160}\bto (?:completed?|finished|done)\b/,
  /\b(?:marca|marcar|marcal[oa])\b[^.!?]{0,80}\bcomo (?:completad|terminad|hech)[oa]\b/,
  /\b(?:marca|marcar|completa|completar|complete|completado|completada|termina|terminar|termine|he terminado|acabe|he acabado)\b[^.!?]{0,80}\b(?:tareas?|objetivos?|metas?|ejercicios?)\b/,
  /\b(?:tarea|objetivo|meta|ejercicio)\b[^.!?]{0,80}\b(?:completad[oa]|terminad[oa]|acabad[oa]|hech[oa])\b/
)
const ALTER = anyOf(
  /\b(?:rename|change|update|archive|move|set)\b[^.!?]{0,80}\b(?:tasks?|goals?)\b/,
  /\brename\b[^.!?]{1,160}\b(?:to|as)\b/,
  /\b(?:renombra|renombrar)\b[^.!?]{1,160}\b(?:a|como|por)\b/,
  /(?:^|\band |\bplease )archive\s/,
  /\b(?:renombra|renombrar|cambia|cambiar|actualiza|actualizar|archiva|archivar|mueve|mover)\b[^.!?]{0,80}\b(?:tareas?|objetivos?|metas?)\b/
)

export function commandsIn(asked: string): Commands {
  const orders = withoutMarks(evenSpaces(asked))
    .split(/(?<=[.!?])\s+|\n+/)
    .filter((sentence) => !QUESTION.test(sentence) && !REFUSAL.test(sentence))
    .join(' ')
  return {
    createGoal: CREATE_GOAL(orders),
    createTasks: CREATE_TASKS(orders),
    finish: FINISH(orders),
    alter: ALTER(orders)
  }
}

export function asksForChanges(asked: string): boolean {
  return Object.values(commandsIn(asked)).some(Boolean)
}

function anyOf(...patterns: RegExp[]): (text: string) => boolean {
  const whole = patterns.map((pattern) => new RegExp(pattern.source, 'i'))
  return (text) => whole.some((pattern) => pattern.test(text))
}
