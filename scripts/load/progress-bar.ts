type Output = { write(text: string): unknown; isTTY?: boolean; columns?: number }

export type ProgressBar = {
  update(done: number, label: string): void
  /** a line of its own, above the bar */
  note(text: string): void
  end(): void
}

/** Draws how far something is: as one line that is written anew on a terminal, as plain lines elsewhere. */
export function createProgressBar(output: Output, total: number): ProgressBar {
  const width = 30
  const live = output.isTTY === true
  let last = ''

  const draw = (done: number, label: string) => {
    const share = total === 0 ? 1 : Math.min(done / total, 1)
    const filled = Math.round(share * width)
    const counts = `${String(done).padStart(String(total).length)}/${total}`
    const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
    return live ? `${bar} ${counts} ${label}`.slice(0, (output.columns ?? 80) - 1) : `${counts} ${label}`
  }
  return {
    update(done, label) {
      const line = draw(done, label)
      if (line === last) return
      last = line
      output.write(live ? `\r\x1b[2K${line}` : `${line}\n`)
    },
    note(text) {
      output.write(live ? `\r\x1b[2K${text}\n${last}` : `${text}\n`)
    },
    end() {
      if (live && last) output.write('\n')
    }
  }
}
