/** Other names of programming languages, in lower case, and the one we keep. */
const aliases: Record<string, string> = {
  js: 'javascript',
  jsx: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  node: 'javascript',
  ecmascript: 'javascript',
  ts: 'typescript',
  mts: 'typescript',
  cts: 'typescript',
  py: 'python',
  python3: 'python',
  rb: 'ruby',
  rs: 'rust',
  golang: 'go',
  'c++': 'cpp',
  cxx: 'cpp',
  cc: 'cpp',
  'c#': 'csharp',
  cs: 'csharp',
  'c-sharp': 'csharp',
  sh: 'bash',
  shell: 'bash',
  zsh: 'bash',
  ps1: 'powershell',
  pwsh: 'powershell'
}

/** One name for each language, so that a filter on `js` finds what was stored as `JavaScript`. */
export function codeLanguage(name: string): string {
  const lower = name.trim().toLowerCase()
  return aliases[lower] ?? lower
}

/** Every name that stands for the same language in lower case, for filters; of a tag like `pt-BR` also its language. */
export function codeLanguageNames(name: string): string[] {
  const lower = name.trim().toLowerCase()
  const kept = codeLanguage(name)
  const others = Object.keys(aliases).filter((alias) => aliases[alias] === kept)
  const tag = /^([a-z]{2,3})-[a-z0-9-]+$/.exec(lower)?.[1]
  return [...new Set([kept, lower, ...others, ...(tag ? [tag] : [])])]
}
