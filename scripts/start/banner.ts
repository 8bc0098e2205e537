type Facts = {
  url: string
  /** The password is there only when the administrator was made at this start. */
  admin: { email: string; apiKey: string; password?: string | undefined }
  /** File that holds the key, shown instead of the key itself in production. */
  keyFile: string
  production: boolean
  logFolder: string | undefined
}

/** What the launcher ends with: where it runs, the administrator's key, and three lines to paste. */
export function banner({ url, admin, keyFile, production, logFolder }: Facts): string {
  const key = production ? `$(cat ${quoteIfNeeded(keyFile)})` : admin.apiKey
  const bearer = `-H "Authorization: Bearer ${key}"`
  const chat = `-H 'Content-Type: application/json' -H 'Prefer: wait=30' -d '{"message":"How do I begin with recursion?"}'`
  const facts: [string, string | undefined][] = [
    ['Running at', url],
    ['Documentation', `${url}/docs`],
    ['Queues', `${url}/admin/queues`],
    ['Administrator', admin.email],
    ['Password', production ? undefined : admin.password && `${admin.password} (shown this once)`],
    ['API key', production ? `in ${keyFile}` : admin.apiKey],
    ['Logs', logFolder]
  ]
  return [
    '',
    ...facts.flatMap(([name, value]) => (value ? [`${name.padEnd(15)}${value}`] : [])),
    '',
    'Try it (Ctrl-C here stops everything):',
    `  curl ${url}/health`,
    `  curl ${bearer} ${chat} ${url}/api/v1/chat`,
    `  curl ${bearer} ${url}/api/v1/jobs`,
    ''
  ].join('\n')
}

function quoteIfNeeded(file: string): string {
  return /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", String.raw`'\''`)}'`
}
