/** Verbs of what a platform does to goals and tasks, as they stand behind "has been" or "I have". */
const done = 'created|saved|added|marked|renamed|updated|changed|completed|archived|moved|deleted|removed|stored|set up'
const hecho =
  'cread[oa]s?|guardad[oa]s?|anadid[oa]s?|agregad[oa]s?|marcad[oa]s?|renombrad[oa]s?|actualizad[oa]s?|cambiad[oa]s?|completad[oa]s?|archivad[oa]s?|movid[oa]s?|eliminad[oa]s?'
const nouns = 'goals?|tasks?|plan|steps?|changes?|everything|it|they|all|title'
const sustantivos = 'objetivos?|metas?|tareas?|plan|pasos?|cambios?|todo|titulo'

const claims = [
  new RegExp(String.raw`^\W{0,5}(?:ok(?:ay)?|sure|great|yes)?\W{0,3}(?:done|all set|all done|${done})\b`, 'i'),
  new RegExp(
    String.raw`\b(?:i|we)(?:['’]ve| have)?(?: (?:now|just|also|already|successfully|gone ahead and)){0,2} (?:${done})\b`,
    'i'
  ),
  new RegExp(
    String.raw`\b(?:${nouns})\b[^.!?]{0,120}\b(?:has|have|was|were|is|are)(?: (?:now|been|successfully|already)){0,3} (?:${done}|done)\b`,
    'i'
  ),
  new RegExp(String.raw`^\W{0,5}(?:vale|claro|si)?\W{0,3}(?:hecho|listo|${hecho})\b`, 'i'),
  new RegExp(String.raw`\b(?:he|hemos|ya he)(?: ya)? (?:${hecho})\b`, 'i'),
  new RegExp(
    String.raw`\b(?:${sustantivos})\b[^.!?]{0,120}\b(?:ha sido|han sido|fue|fueron|esta|estan|quedo|se ha|se han) (?:${hecho}|hech[oa]s?)\b`,
    'i'
  )
]

/** Sentences that are longer are looked at as far as this. */
const lookedAtChars = 600

/** Whether a sentence says that goals or tasks were created or changed, in English or Spanish. */
export function claimsChange(sentence: string): boolean {
  const text = sentence.slice(0, lookedAtChars).normalize('NFD').replace(/\p{M}/gu, '').replace(/\s+/g, ' ')
  return claims.some((pattern) => pattern.test(text))
}

/**
 * An answer without its sentences that say what was created or changed: the platform says that itself, from what it did.
 * Code stays as it is.
 */
export function withoutClaims(answer: string): string {
  const kept: string[] = []
  let fence = ''
  for (const line of answer.split('\n')) {
    const mark = /^ {0,3}(```|~~~)/.exec(line)?.[1] ?? ''
    if (mark !== '' && (fence === '' || fence === mark)) fence = fence === '' ? mark : ''
    if (fence !== '' || mark !== '' || line.trim() === '') {
      kept.push(line)
      continue
    }
    const rest = sentencesIn(line)
      .filter((sentence) => !claimsChange(sentence))
      .join('')
    if (rest.trim() !== '') kept.push(rest.trimEnd())
  }
  return kept
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

const sentencesIn = (line: string): string[] => line.split(/(?<=[.!?]["”')*_]{0,3}\s)(?=\S)/)
