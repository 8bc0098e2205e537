/** Resolves after `ms`, or at once when the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await orAborted(over, signal)
  clearTimeout(timer)
}

/** Settles with the promise, or resolves when the signal is aborted; what the promise does after that is ignored. */
export async function orAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    promise.catch(() => {})
    return
  }
  let end: (() => void) | undefined
  const aborted = new Promise<void>((resolve) => {
    end = resolve
    signal.addEventListener('abort', resolve as () => void)
  })
  try {
    await Promise.race([promise, aborted])
  } finally {
    if (end) signal.removeEventListener('abort', end)
  }
}
