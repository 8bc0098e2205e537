/** Runs one step of a longer work and shows it; `say` adds a word on how it is going. */
export type Step = <T>(title: string, work: (say: (detail: string) => void) => Promise<T>) => Promise<T>
