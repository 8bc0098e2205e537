/** Marks of a thought at the beginning of an answer: of DeepSeek and Qwen, others, ByteDance Seed, Mistral, Kimi. */
const marks: { opening: string; closing: string }[] = [
  ...['think', 'thinking', 'thought', 'reasoning', 'seed:think'].map((tag) => ({
    opening: `<${tag}>`,
    closing: `</${tag}>`
  })),
  { opening: '[think]', closing: '[/think]' },
  { opening: '◁think▷', closing: '◁/think▷' }
]
/** Those that mark a thought in the middle of an answer too, and the one that may end a thought which nothing began. */
const within = /<think>|\[think\]|<\/think>/i
const withinMarks = ['<think>', '[think]', '</think>']
const unopened = '</think>'
/** Blanks before an answer that are waited through for a mark. */
const mostBlanks = 64

/** A piece of an answer. `unsays`: all that was said before it was a thought after all. */
export type Divided = { said: string; thought: string; unsays: boolean }

export type ThinkingFilter = {
  push(piece: string): Divided
  end(): Divided
  /** whether a thought ended that nothing had begun; `undefined` when there was no text */
  hasUnopened(): boolean | undefined
}

/**
 * Divides a text that comes in pieces into what is said and what is only thought, however it is cut. Marks right behind
 * a backtick and in fenced code are text, and so is a thought's end without its beginning, unless it ends or begins a
 * line: then the beginning was written by a template, as for QwQ and DeepSeek-R1.
 * @param isJson of an answer that begins with JSON, only what comes before it is looked at
 * @param isUnopened everything up to the first end is a thought; without one, nothing is
 */
export function createThinkingFilter({ isJson = false, isUnopened = false } = {}): ThinkingFilter {
  let text = ''
  let mode: 'start' | 'said' | 'plain' | 'thought' | 'unopened' = isUnopened ? 'unopened' : 'start'
  let closing = unopened
  let hasThought = false
  let hasSaid = false
  /** the last character that was said */
  let before = ''
  const code = createFences()
  let hasUnopened: boolean | undefined
  /** what waits for the end of a thought, and the last characters of it */
  const held: string[] = []
  let last = ''
  let out: Divided = { said: '', thought: '', unsays: false }

  function run(isLast: boolean): Divided {
    out = { said: '', thought: '', unsays: false }
    while (text !== '' && step(isLast));
    return out
  }

  /** @returns whether there may be more to do before more comes */
  function step(isLast: boolean): boolean {
    if (mode === 'start') return start(isLast)
    if (mode === 'said') return say(isLast)
    if (mode === 'plain') return tell(text.length)
    return mode === 'thought' ? think(isLast) : hold()
  }

  function start(isLast: boolean): boolean {
    const trimmed = text.trimStart()
    // Blanks behind a thought belong to neither.
    if (hasThought && trimmed !== text) text = trimmed
    const blanks = text.length - trimmed.length
    const lower = trimmed.slice(0, 16).toLowerCase()
    const mark = marks.find(({ opening }) => lower.startsWith(opening))
    if (mark) {
      begin(mark.closing, blanks + mark.opening.length)
      return true
    }
    if (!isLast && blanks < mostBlanks && marks.some(({ opening }) => opening.startsWith(lower))) return false
    mode = isJson && /^[[{`]/.test(trimmed) ? 'plain' : 'said'
    return true
  }

  function begin(ending: string, length: number): void {
    mode = 'thought'
    closing = ending
    text = text.slice(length)
  }

  function say(isLast: boolean): boolean {
    const mark = within.exec(text)
    if (!mark) {
      tell(text.length - (isLast ? 0 : overlap(text, withinMarks)))
      return false
    }
    const { index } = mark
    const end = index + mark[0].length
    const left = index > 0 ? text.charAt(index - 1) : before
    if (left === '`' || code.isWithin(text.slice(0, index))) return tell(end)
    if (mark[0].toLowerCase() !== unopened) {
      tell(index)
      begin(mark[0].startsWith('<') ? unopened : '[/think]', mark[0].length)
      return true
    }
    if (left !== '\n' && left !== '') {
      if (text.length === end && !isLast) {
        tell(index)
        return false
      }
      if (text.length > end && text.charAt(end) !== '\n') return tell(end)
    }
    out = { said: '', thought: out.thought + out.said + text.slice(0, index), unsays: true }
    hasUnopened = true
    code.clear()
    leave(end)
    return true
  }

  function think(isLast: boolean): boolean {
    const at = endOf(text)
    if (at >= 0) {
      out.thought += text.slice(0, at)
      leave(at + closing.length, hasSaid)
      return true
    }
    const length = text.length - (isLast ? 0 : overlap(text, [closing]))
    out.thought += text.slice(0, length)
    text = text.slice(length)
    return false
  }

  /** Everything waits for the end of a thought that was not begun. */
  function hold(): boolean {
    const seen = last + text
    const at = endOf(seen)
    if (at < 0) {
      last = seen.slice(1 - closing.length)
      held.push(text)
      text = ''
      return false
    }
    const end = seen.length - at
    text = held.splice(0).join('') + text
    out.thought += text.slice(0, text.length - end)
    hasUnopened = true
    leave(text.length - end + closing.length)
    return true
  }

  function leave(length: number, intoText = false): void {
    text = text.slice(length)
    hasThought = true
    hasSaid = intoText
    if (!intoText) before = ''
    mode = intoText ? 'said' : 'start'
  }

  function tell(length: number): boolean {
    const piece = text.slice(0, length)
    text = text.slice(length)
    out.said += piece
    code.push(piece)
    hasSaid ||= piece !== ''
    before = piece.at(-1) ?? before
    return text !== ''
  }

  const endOf = (thought: string): number => thought.search(closings.get(closing) as RegExp)

  return {
    push(piece) {
      hasUnopened ??= false
      text += piece
      return run(false)
    },
    end() {
      if (mode === 'unopened') {
        mode = 'start'
        text = held.splice(0).join('') + text
      }
      return run(true)
    },
    hasUnopened: () => hasUnopened
  }
}

/** Fences of code, three backticks each, in a text that comes in pieces. */
function createFences() {
  let state = { isOpen: false, run: 0 }

  const after = (text: string, { isOpen, run }: typeof state) => {
    for (let at = 0; at < text.length; at++) {
      run = text[at] === '`' ? run + 1 : 0
      if (run === 3) isOpen = !isOpen
    }
    return { isOpen, run }
  }

  return {
    push(text: string): void {
      state = after(text, state)
    },
    /** Whether code goes on behind a text that comes next. */
    isWithin: (text: string): boolean => after(text, state).isOpen,
    clear(): void {
      state = { isOpen: false, run: 0 }
    }
  }
}

/** Case is looked through without changing the length of anything. */
const closings = new Map(
  marks.map(({ closing }) => [
    closing,
    new RegExp(
      closing.replace(/[[\]]/g, (bracket) => `\\${bracket}`),
      'i'
    )
  ])
)

/** How many of the last characters of a text may be the beginning of one of these. */
function overlap(text: string, of: readonly string[]): number {
  const longest = Math.max(...of.map((mark) => mark.length))
  const end = text.slice(-(longest - 1)).toLowerCase()
  for (let from = 0; from < end.length; from++) {
    if (of.some((mark) => mark.startsWith(end.slice(from)))) return end.length - from
  }
  return 0
}
