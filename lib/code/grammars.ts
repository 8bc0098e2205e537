import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Language, Node, Parser } from 'web-tree-sitter'

/** Grammars that the package carries, by our names of the languages. C is read by the grammar of C++. */
const files: Record<string, string> = {
  bash: 'bash',
  c: 'cpp',
  cpp: 'cpp',
  csharp: 'c-sharp',
  css: 'css',
  go: 'go',
  java: 'java',
  javascript: 'javascript',
  php: 'php',
  powershell: 'powershell',
  python: 'python',
  ruby: 'ruby',
  rust: 'rust',
  tsx: 'tsx',
  typescript: 'typescript'
}

/** Parsing that takes longer is given up: error recovery on text that is no program has no bound of its own. */
const parseMs = 500

export type Grammars = {
  /**
   * Hands the root of the syntax tree to `read` and frees the tree afterwards.
   * @returns what `read` returned, or `undefined` for a language without a grammar or a text that takes too long
   */
  withTree<T>(language: string, source: string, read: (root: Node) => T): Promise<T | undefined>
}

/** Loads the parser with the first text and each grammar with the first text of its language. */
export function createGrammars(): Grammars {
  let library: Promise<{ parser: Parser; load: (path: string) => Promise<Language> }> | undefined
  const loaded = new Map<string, Promise<Language>>()
  const require = createRequire(import.meta.url)

  async function open() {
    const { Language, Parser } = await import('web-tree-sitter')
    await Parser.init()
    return { parser: new Parser(), load: (path: string) => Language.load(path) }
  }

  return {
    async withTree(language, source, read) {
      const file = files[language]
      if (!file) return undefined
      library ??= open()
      const { parser, load } = await library
      let grammar = loaded.get(file)
      if (!grammar) {
        const folder = join(dirname(require.resolve('@vscode/tree-sitter-wasm/package.json')), 'wasm')
        grammar = load(join(folder, `tree-sitter-${file}.wasm`))
        loaded.set(file, grammar)
      }
      parser.setLanguage(await grammar)
      const until = performance.now() + parseMs
      const tree = parser.parse(source, null, { progressCallback: () => performance.now() > until })
      if (!tree) {
        parser.reset()
        return undefined
      }
      try {
        return read(tree.rootNode)
      } finally {
        tree.delete()
      }
    }
  }
}
