import { languageOfPath, normalLanguage } from './languages.ts'

/** Characters that are looked at: enough to tell a language, few enough for any input. */
const sampleChars = 20_000

const shebangs: [RegExp, string][] = [
  [/\b(?:node|bun)\b/, 'javascript'],
  [/\bdeno\b/, 'typescript'],
  [/\bpython[\d.]*\b/, 'python'],
  [/\bruby\b/, 'ruby'],
  [/\bphp\b/, 'php'],
  [/\b(?:ba|z|da)?sh\b/, 'bash']
]

/** Marks of a language with their weight. Line by line, so that no pattern can run far. */
const marks: [string, number, RegExp][] = [
  ['python', 3, /^\s*(?:async )?def \w+\(.*\).*:\s*(?:#.*)?$/],
  [
    'python',
    3,
    /^\s*(?:elif .*|else|try|finally|except\b.*|with .+|class \w.*|for \w.* in .*|while .*|if .*):\s*(?:#.*)?$/
  ],
  ['python', 2, /^\s*(?:from [\w.]+ import |import \w+(?: as \w+)?\s*$)/],
  ['python', 1, /^\s*(?:async )?def \w+\(|\bself\.|\bNone\b|^\s*@\w+$|\bprint\(/],
  ['typescript', 3, /^\s*(?:export )?(?:interface \w+|type \w+(?:<.*>)? =|declare |enum \w+|namespace \w+)/],
  ['typescript', 3, /[\w)\]?]\s*:\s*(?:string|number|boolean|void|unknown|any|never)\b|\bas const\b|\bimport type\b/],
  ['javascript', 2, /^\s*(?:export |import .* from ['"]|(?:const|let) \w+|(?:const|let) [{[])/],
  ['javascript', 2, /=>|\bfunction\b\s*\w*\s*\(|\brequire\(['"]|\bconsole\.\w+\(|===|\bmodule\.exports\b/],
  [
    'java',
    3,
    /^\s*(?:public|private|protected) (?:static |final |abstract )*(?:class|interface|void|int|String|record)\b/
  ],
  ['java', 3, /^\s*import java|\bSystem\.out\.print/],
  ['csharp', 4, /^\s*using [A-Z][\w.]*;|\bConsole\.(?:Write|Read)|^\s*namespace [A-Z][\w.]*/],
  ['c', 2, /^\s*#include <\w+\.h>|\bprintf\(|\bmalloc\(/],
  ['cpp', 4, /^\s*#include <\w+>|\bstd::|^\s*using namespace \w+;|\bcout\s*<</],
  ['go', 4, /^package \w+|^func (?:\(.*\) )?\w+\(.*\{|\bfmt\.\w+\(|:=/],
  ['rust', 4, /^\s*(?:pub )?fn \w+|\blet mut \b|\bimpl\b.*\{|println!\(|^\s*use \w+::/],
  ['ruby', 1, /^\s*def \w+[^:]*$/],
  ['ruby', 3, /^\s*(?:end|require ['"].*|module [A-Z]\w*)\s*$|\bputs\b|\bdo \|/],
  ['php', 6, /<\?php|^\s*\$\w+ = .*;/],
  ['kotlin', 3, /^\s*(?:fun \w+\(|val \w+|data class )/],
  ['bash', 3, /^\s*(?:if \[|fi$|done$|esac$|echo |export \w+=|set -[eu])/],
  [
    'sql',
    4,
    /^\s*(?:select .*|insert into|update \w+ set|create (?:or replace )?(?:table|view|function)|delete from)\b/i
  ],
  ['html', 4, /<!doctype html|<\/?(?:html|body|div|head|span|p)\b/i],
  ['css', 3, /^\s*[.#]?[\w-]+(?:[ ,:>][^{]*)?\{\s*$|^\s*[a-z-]+:\s*[^;{]+;\s*$/]
]

/**
 * Which language a source is in: as declared when that says something, else by its path, its first line, or marks
 * of the languages in its text. `text` when nothing tells.
 */
export function detectLanguage({
  declared,
  path,
  source
}: {
  declared?: string | undefined
  path?: string | null | undefined
  source: string
}): string {
  return (
    (declared === undefined ? undefined : normalLanguage(declared)) ??
    (path ? languageOfPath(path) : undefined) ??
    byShebang(source) ??
    byJson(source) ??
    byMarks(source.slice(0, sampleChars)) ??
    'text'
  )
}

function byShebang(source: string): string | undefined {
  const first = /^#!([^\n]{1,200})/.exec(source)?.[1]
  return first && shebangs.find(([pattern]) => pattern.test(first))?.[1]
}

function byJson(source: string): string | undefined {
  if (!/^\s*[{[]/.test(source)) return undefined
  try {
    JSON.parse(source)
    return 'json'
  } catch {
    return undefined // not JSON: the marks decide
  }
}

function byMarks(sample: string): string | undefined {
  const scores = new Map<string, number>()
  for (const line of sample.split('\n')) {
    if (line.length > 500) continue
    for (const [language, weight, pattern] of marks) {
      if (pattern.test(line)) scores.set(language, (scores.get(language) ?? 0) + weight)
    }
  }
  // What is good JavaScript is good TypeScript too: its own marks decide, and then all count.
  const typescript = scores.get('typescript')
  if (typescript !== undefined) scores.set('typescript', typescript + (scores.get('javascript') ?? 0))
  const [best] = [...scores].sort((a, b) => b[1] - a[1])
  return best && best[1] >= 2 ? best[0] : undefined
}
