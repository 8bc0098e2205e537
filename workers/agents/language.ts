/** Little words that one of the two languages has and the other has not. */
const spanish = new Set(
  (
    'el la los las un una del que para con por mi mis este esta como se al lo sobre su sus y tarea tareas objetivo objetivos ' +
    'meta metas marca marcala crea creame haz hazme anade anademe agrega renombra cambia archiva mueve guarda guardalo ' +
    'completada completado hecha hecho terminada terminado termine acabado por favor plan aprender hola gracias'
  ).split(' ')
)
const english = new Set(
  (
    'the a an of that for with by my this as it to and task tasks goal goals mark create make add rename change archive move ' +
    'save completed done finished please plan learn i hello thanks is how what'
  ).split(' ')
)

/** The language in which the platform itself answers a message: Spanish when its little words are, English otherwise. */
export function languageOf(message: string): 'en' | 'es' {
  const plain = message.slice(0, 1_000).normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
  const words: string[] = plain.match(/[a-z]+/g) ?? []
  const count = (known: Set<string>) => words.filter((word) => known.has(word)).length
  return count(spanish) > count(english) ? 'es' : 'en'
}
