/** Canonical names with what else people call the language, and the extensions of its files. */
const known: Record<string, { aliases?: string; extensions: string }> = {
  javascript: { aliases: 'js jsx mjs cjs ecmascript node nodejs node.js', extensions: 'js jsx mjs cjs' },
  typescript: { aliases: 'ts tsx mts cts deno', extensions: 'ts tsx mts cts' },
  python: { aliases: 'py python3 python2 py3 cpython', extensions: 'py pyi pyw' },
  java: { extensions: 'java' },
  kotlin: { aliases: 'kt', extensions: 'kt kts' },
  c: { aliases: 'c99 c11 c17', extensions: 'c h' },
  cpp: { aliases: 'c++ cxx cc cplusplus c++11 c++14 c++17 c++20 c++23', extensions: 'cpp cc cxx hpp hh' },
  csharp: { aliases: 'c# cs dotnet', extensions: 'cs' },
  fsharp: { aliases: 'f# fs', extensions: 'fs fsx' },
  go: { aliases: 'golang', extensions: 'go' },
  rust: { aliases: 'rs', extensions: 'rs' },
  ruby: { aliases: 'rb', extensions: 'rb' },
  php: { extensions: 'php' },
  swift: { extensions: 'swift' },
  scala: { extensions: 'scala' },
  elixir: { aliases: 'ex exs', extensions: 'ex exs' },
  haskell: { aliases: 'hs', extensions: 'hs' },
  bash: { aliases: 'sh shell zsh', extensions: 'sh bash' },
  powershell: { aliases: 'ps1 pwsh', extensions: 'ps1' },
  sql: { aliases: 'postgresql postgres mysql sqlite plpgsql', extensions: 'sql' },
  html: { aliases: 'htm', extensions: 'html htm' },
  css: { aliases: 'scss less', extensions: 'css' },
  json: { extensions: 'json' },
  yaml: { aliases: 'yml', extensions: 'yaml yml' }
}

const names = new Map<string, string>()
const extensions = new Map<string, string>()
for (const [name, entry] of Object.entries(known)) {
  for (const alias of [name, ...(entry.aliases?.split(' ') ?? [])]) names.set(alias, name)
  for (const extension of entry.extensions.split(' ')) extensions.set(extension, name)
}

/** What people write when they do not say which language it is. */
const unnamed = new Set(['', 'auto', 'text', 'txt', 'plain', 'plaintext', 'plain text', 'code', 'unknown', 'other'])

/** The canonical name of a language, `undefined` when the text names none, and the text itself when we know no other. */
export function normalLanguage(name: string): string | undefined {
  const plain = name.trim().toLowerCase()
  if (unnamed.has(plain)) return undefined
  return names.get(plain) ?? plain
}

/** The language of a file by its name. */
export function languageOfPath(path: string): string | undefined {
  return extensions.get(/\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '')
}
