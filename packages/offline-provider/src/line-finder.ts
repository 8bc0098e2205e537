/** The lines of places in a text, asked for in ascending order. */
export function lineFinder(text: string): (at: number) => number {
  let line = 0
  let next = text.indexOf('\n')
  return (at) => {
    for (; next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line += 1
    return line
  }
}
