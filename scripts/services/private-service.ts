/** Where and how a private instance lives. */
export type ServicePlace = {
  /** Everything it keeps is in here. */
  folder: string
  /** False gives up what protects data from a power cut, for tests. */
  durable: boolean
  logFile: string
  /** PATH for the programs it calls. */
  path: string
}

export type PrivateService = {
  url: string
  isRunning: () => Promise<boolean>
  /** Asks for an orderly end and waits for it. */
  stop: () => Promise<void>
  /** Asks for an orderly end without waiting. */
  letGo: () => void
}
