import test from 'ava'
import { detectLanguage } from '../../../lib/code/detect.ts'
import { languageOfPath, normalLanguage } from '../../../lib/code/languages.ts'

test('a language has one name whatever people call it', (t) => {
  for (const [said, name] of [
    ['JS', 'javascript'],
    [' Node.js ', 'javascript'],
    ['tsx', 'typescript'],
    ['Python3', 'python'],
    ['C++', 'cpp'],
    ['c#', 'csharp'],
    ['Golang', 'go'],
    ['Brainfuck', 'brainfuck']
  ] as const) {
    t.is(normalLanguage(said), name)
  }
})

test('words that name no language are told from names', (t) => {
  for (const said of ['auto', 'text', 'Plain Text', 'unknown', '']) t.is(normalLanguage(said), undefined)
})

test('the extension of a path tells the language', (t) => {
  t.is(languageOfPath('src/app.test.MTS'), 'typescript')
  t.is(languageOfPath('a/b.py'), 'python')
  t.is(languageOfPath('Makefile'), undefined)
})

test('what was declared wins over everything else', (t) => {
  t.is(detectLanguage({ declared: 'ruby', path: 'x.py', source: '#!/usr/bin/env node\n' }), 'ruby')
})

test('an undeclared source is told by its path, then its first line', (t) => {
  t.is(detectLanguage({ declared: 'auto', path: 'x.py', source: 'const a = 1' }), 'python')
  t.is(detectLanguage({ declared: 'auto', source: '#!/usr/bin/env python3\nx = 1\n' }), 'python')
  t.is(detectLanguage({ source: '#!/bin/bash\nls\n' }), 'bash')
})

const samples: Record<string, string> = {
  python: 'def add(a, b):\n    return a + b\n',
  javascript: 'export const add = (a, b) => {\n  return a + b\n}\n',
  typescript: 'export const add = (a: number, b: number) => a + b\nconst x = add(1, 2)\n',
  java: 'public class Main {\n  public static void main(String[] args) { System.out.println("x"); }\n}\n',
  go: 'package main\n\nfunc main() {\n\tfmt.Println("x")\n}\n',
  rust: 'fn main() {\n    let mut x = 1;\n    println!("{}", x);\n}\n',
  cpp: '#include <vector>\nint main() { std::vector<int> v; }\n',
  ruby: 'def add(a, b)\n  a + b\nend\nputs add(1, 2)\n',
  sql: 'select id, title\nfrom goals\nwhere user_id = 1\n',
  html: '<!doctype html>\n<html><body></body></html>\n',
  json: '{ "a": [1, 2] }'
}

for (const [language, source] of Object.entries(samples)) {
  test(`${language} is told by its marks`, (t) => {
    t.is(detectLanguage({ declared: 'auto', source }), language)
  })
}

test('prose is no language', (t) => {
  t.is(detectLanguage({ source: 'It was a dark and stormy night, and nobody wrote any code.' }), 'text')
})
