import type { Step } from '../services/steps.ts'

type Output = Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean; columns?: number }
type Line = { title: string; detail: string; startedAt: number }

export type Progress = {
  step: Step
  /** A line of its own, above the steps that run. */
  print: (text: string) => void
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Shows steps as they run: on a terminal with a running clock each, elsewhere as plain lines at start and end. */
export function createProgress(output: Output, now: () => number = () => performance.now()): Progress {
  const live = output.isTTY === true
  const running = new Set<Line>()
  let drawn = 0
  let timer: NodeJS.Timeout | undefined

  const seconds = (line: Line) => `${((now() - line.startedAt) / 1000).toFixed(1)} s`
  const colour = (code: number, text: string) => (live ? `\x1b[${code}m${text}\x1b[0m` : text)
  const erase = () => {
    if (drawn) output.write(`\x1b[${drawn}A\x1b[0J`)
    drawn = 0
  }
  const draw = () => {
    const frame = frames[Math.floor(now() / 80) % frames.length]
    for (const line of running) {
      const text = `${frame} ${line.title}  ${seconds(line)}${line.detail ? `  ${line.detail}` : ''}`
      output.write(`${text.slice(0, (output.columns ?? 80) - 1)}\n`)
    }
    drawn = running.size
  }
  const redraw = (text?: string) => {
    if (live) erase()
    if (text !== undefined) output.write(`${text}\n`)
    if (live) draw()
  }
  const tick = () => {
    if (live && running.size && !timer) timer = setInterval(redraw, 80)
    if (!running.size) {
      clearInterval(timer)
      timer = undefined
    }
  }

  return {
    print: redraw,
    step: async (title, work) => {
      const line: Line = { title, detail: '', startedAt: now() }
      running.add(line)
      if (!live) output.write(`… ${title}\n`)
      tick()
      const end = (mark: string) => {
        running.delete(line)
        redraw(`${mark} ${line.title}  ${colour(2, seconds(line))}${line.detail ? `  ${colour(2, line.detail)}` : ''}`)
        tick()
      }
      try {
        const result = await work((detail) => {
          line.detail = detail
        })
        end(colour(32, '✓'))
        return result
      } catch (error) {
        end(colour(31, '✗'))
        throw error
      }
    }
  }
}
