import { evenSpaces, withoutMarks } from './plain-letters.ts'

const words =
  'hi hello hey hiya yo there thanks thank you very much so ok okay good morning evening afternoon day night bye goodbye see ' +
  'how are are doing is it going whats up what s nice to meet again everyone tutor planner reviewer friend please ' +
  'hola buenas buenos dias tardes noches que tal como estas esta va gracias muchas adios hasta luego saludos vale'
const known = new Set(words.split(' '))
const begins =
  /^\W*(?:hi|hiya|hello|hey|yo|thanks|thank|ok|okay|good|bye|goodbye|how are|whats up|what s up|hola|buenas|buenos|que tal|gracias|muchas gracias|adios|saludos|vale)\b/

/** Whether a message greets, thanks or says goodbye, in English or Spanish, and nothing else: there is nothing to look up. */
export function isGreeting(message: string): boolean {
  if (message.length > 120) return false
  const plain = withoutMarks(evenSpaces(message)).toLowerCase().replace(/['’]/g, '')
  const said: string[] = plain.match(/[a-z]+/g) ?? []
  return said.length > 0 && said.length <= 10 && begins.test(plain) && said.every((word) => known.has(word))
}
