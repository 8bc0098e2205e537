import * as detect from '../../lib/code/detect.ts'
import * as languages from '../../lib/code/languages.ts'
import * as pythonLines from '../../lib/code/python-lines.ts'
import * as pythonProof from '../../lib/code/python-proof.ts'
import { openDeltaWriter } from '../../lib/events/delta-writer.ts'
import * as chatReading from '../../lib/models/reading/chat-reading.ts'
import * as readingContent from '../../lib/models/reading/content.ts'
import * as wireEvents from '../../lib/models/reading/events.ts'
import * as wireFeed from '../../lib/models/reading/feed.ts'
import * as jsonEnd from '../../lib/models/reading/json-end.ts'
import * as meter from '../../lib/models/reading/meter.ts'
import * as readingText from '../../lib/models/reading/text.ts'
import * as thinking from '../../lib/models/reading/thinking.ts'
import * as toolCalls from '../../lib/models/reading/tool-calls.ts'
import * as answer from '../../packages/offline-provider/src/answer.ts'
import type { ChatCall } from '../../packages/offline-provider/src/chat-types.ts'
import * as commands from '../../packages/text/src/commands.ts'
import * as completion from '../../packages/offline-provider/src/completion.ts'
import * as conversations from '../../packages/offline-provider/src/conversation.ts'
import * as embed from '../../packages/offline-provider/src/embed.ts'
import * as extract from '../../packages/offline-provider/src/extract.ts'
import * as features from '../../packages/offline-provider/src/features.ts'
import * as lineFinder from '../../packages/offline-provider/src/line-finder.ts'
import { chatModel } from '../../packages/offline-provider/src/models.ts'
import * as offlinePassages from '../../packages/offline-provider/src/passages.ts'
import * as plainAnswer from '../../packages/offline-provider/src/plain-answer.ts'
import * as plan from '../../packages/offline-provider/src/plan.ts'
import * as prompt from '../../packages/offline-provider/src/prompt.ts'
import * as review from '../../packages/offline-provider/src/review.ts'
import * as reviewMask from '../../packages/offline-provider/src/review-mask.ts'
import * as reviewRules from '../../packages/offline-provider/src/review-rules.ts'
import * as reviewSource from '../../packages/offline-provider/src/review-source.ts'
import * as route from '../../packages/offline-provider/src/route.ts'
import * as offlineSentences from '../../packages/offline-provider/src/sentences.ts'
import * as sketch from '../../packages/offline-provider/src/sketch.ts'
import * as stem from '../../packages/offline-provider/src/stem.ts'
import * as structured from '../../packages/offline-provider/src/structured.ts'
import * as titles from '../../packages/offline-provider/src/titles.ts'
import * as tokens from '../../packages/text/src/tokens.ts'
import * as toolArguments from '../../packages/offline-provider/src/tool-arguments.ts'
import * as toolRules from '../../packages/offline-provider/src/tool-rules.ts'
import * as words from '../../packages/offline-provider/src/words.ts'
import * as readVectors from '../../lib/models/read-vectors.ts'
import * as blocks from '../../lib/rag/block.ts'
import * as chunk from '../../lib/rag/chunk.ts'
import * as chunker from '../../lib/rag/chunker.ts'
import * as code from '../../lib/rag/code.ts'
import * as codeLanguage from '../../lib/rag/code-language.ts'
import * as embeddingText from '../../lib/rag/embedding-text.ts'
import * as keep from '../../lib/rag/reuse-chunks.ts'
import * as markdown from '../../lib/rag/markdown.ts'
import * as characterReference from '../../lib/rag/markdown/character-reference.ts'
import * as definition from '../../lib/rag/markdown/definition.ts'
import * as frontMatter from '../../lib/rag/markdown/front-matter.ts'
import * as inline from '../../lib/rag/markdown/inline.ts'
import * as markdownLine from '../../lib/rag/markdown/line.ts'
import * as markdownLink from '../../lib/rag/markdown/link.ts'
import * as marks from '../../lib/rag/markdown/marks.ts'
import * as spans from '../../lib/rag/markdown/spans.ts'
import * as tag from '../../lib/rag/markdown/tag.ts'
import * as pack from '../../lib/rag/pack.ts'
import * as queryText from '../../lib/rag/query-text.ts'
import * as tokenEstimate from '../../lib/text/token-estimate.ts'
import { inTurns } from '../../lib/sharing/in-turns.ts'
import { courseCreateSchema } from '../../lib/schemas/course.ts'
import { eventCreateSchema, eventQuerySchema } from '../../lib/schemas/event.ts'
import * as texts from '../../lib/schemas/text.ts'
import { registrationSchema } from '../../lib/schemas/user.ts'
import { webhookCreateSchema } from '../../lib/schemas/webhook.ts'
import type { Source } from '../../lib/store/search/sources.ts'
import * as greeting from '../../packages/text/src/greeting.ts'
import * as matchTitle from '../../packages/text/src/match-title.ts'
import * as namedIn from '../../packages/text/src/named-in.ts'
import * as plainLetters from '../../packages/text/src/plain-letters.ts'
import * as threadTitle from '../../lib/threads/title.ts'
import * as webhookPattern from '../../lib/schemas/event-pattern.ts'
import * as answerFilter from '../../workers/agents/answer-filter.ts'
import * as answerStream from '../../workers/agents/answer-stream.ts'
import * as asData from '../../workers/agents/untrusted-text.ts'
import * as claims from '../../workers/agents/claims.ts'
import * as codeFences from '../../workers/agents/code-fences.ts'
import * as hits from '../../workers/agents/hits.ts'
import * as language from '../../workers/agents/language.ts'
import * as links from '../../workers/agents/links.ts'
import * as memory from '../../workers/agents/memory.ts'
import * as report from '../../workers/agents/report.ts'
import * as agentSentences from '../../workers/agents/sentences.ts'
import * as structuredAnswer from '../../workers/agents/structured-answer.ts'
import * as recordText from '../../workers/agents/tools/record-text.ts'
import { z } from 'zod'

export type Walker = (text: string) => unknown

/**
 * A file whose functions read texts. Each function it exports has a walker of its name, or of its name and what is
 * tried with it (`stem, word by word`), or stands among those that read none.
 */
type Room = {
  exports: object
  walkers: Record<string, Walker>
  others?: string[]
  /** texts that took too long once: a beginning, and a piece that follows it again and again */
  once?: [beginning: string, piece: string][]
}

/** As a text comes that is streamed. */
function* piecesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; from += 16) yield text.slice(from, from + 16)
}

function divided(text: string, options: Parameters<typeof thinking.createThinkingFilter>[0]) {
  const filter = thinking.createThinkingFilter(options)
  for (const piece of piecesOf(text)) filter.push(piece)
  return filter.end()
}

const reading = () =>
  chatReading.createChatReading({
    step: 'a',
    isJson: false,
    grantedTokens: 1_000_000,
    thinksUnopened: false,
    onText: () => undefined
  })

function fed(text: string): void {
  const feed = wireFeed.createFeed(reading())
  try {
    for (const piece of piecesOf(text)) feed.push(piece)
    feed.end()
  } catch {
    // what cannot be understood took time as well
  }
}

const chunking = chunker.createChunker()
const linkable = (target: string) => target.endsWith('b')
const filter = () => answerFilter.createAnswerFilter({ citable: (n) => n < 4, linkable })
const inPieces = (text: string, size: number, push: (piece: string) => unknown) => {
  for (let at = 0; at < text.length; at += size) push(text.slice(at, at + size))
}
const linesOf = (text: string) => text.split('\n')
const wordsIn = (text: string) => text.split(' ')
const fenced = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``

/** Blocks of which none is longer than a chunk, as the chunker makes them. */
const blocksOf = (text: string) =>
  markdown
    .markdownBlocks(text)
    .flatMap((block) =>
      block.tokens > 400 ? blocks.splitLong(block.text, 400).map((part) => blocks.block(part, block.path)) : [block]
    )
const wholeOf = (made: blocks.Block[]) => ({ from: 0, to: made.length })

type Said = { user?: string; system?: string; assistant?: string; tool?: string }
const schema = { type: 'object', properties: { summary: { type: 'string' }, tasks: { type: 'array' } } }
const tools = ['search_code', 'create_task', 'find_similar_code', 'update_goal', 'list_tasks'].map((name) => ({
  name,
  description: 'a tool',
  parameters: {
    type: 'object',
    properties: { query: { type: 'string' }, title: { type: 'string' }, goalId: { type: 'string', format: 'uuid' } },
    required: ['query']
  }
}))

function callOf({ user = 'What is it?', system = '', assistant = '', tool }: Said): ChatCall {
  const base = { name: null, toolCalls: [], toolCallId: null }
  const called = { ...base, toolCalls: [{ id: 'c', name: 'search_code', arguments: '{}' }] }
  return {
    model: chatModel('offline-chat-mini'),
    messages: [
      { ...base, role: 'system', text: system },
      { ...base, role: 'assistant', text: assistant },
      { ...base, role: 'user', text: user },
      ...(tool === undefined
        ? []
        : [
            { ...called, role: 'assistant' as const, text: '' },
            { ...base, role: 'tool' as const, text: tool, toolCallId: 'c' }
          ])
    ],
    tools,
    toolChoice: { kind: 'auto' },
    parallelToolCalls: true,
    format: { kind: 'text' },
    maxTokens: 1_000,
    stop: [],
    n: 1,
    stream: false,
    includeUsage: false,
    reasoningEffort: null,
    user: null
  }
}
const probePort = (said: Said) => conversations.readConversation(callOf(said))
const everywhere = (text: string) => probePort({ user: text, system: text, assistant: text, tool: text })

const stored = (content: string) => ({ ordinal: 1, role: 'assistant' as const, content }) as never
const source = (text: string): Source =>
  ({ kind: 'markdown', type: 'document', title: text, text, path: text, note: null, language: null }) as never
const masked = (text: string, language: string) => reviewMask.maskSource(linesOf(text), language)
const hit = (content: string) => ({ sourceType: 'document', sourceId: 'a', title: content, content, score: 1 }) as never

export const rooms: Record<string, Room> = {
  'lib/rag/markdown.ts': {
    exports: markdown,
    walkers: { markdownBlocks: (text) => markdown.markdownBlocks(text) },
    once: [
      ['', '`'],
      ['- '.repeat(1_000), '\n'],
      ['', '- '],
      ['', '> '],
      ['', '# *a **a [a](\n']
    ]
  },
  'lib/rag/markdown/spans.ts': {
    exports: spans,
    walkers: { markdownSpans: (text) => [...spans.markdownSpans(text)].length },
    once: [
      ['> - '.repeat(16), '>\n'],
      ['', '[a]: b "\n'],
      ['[a]: b\n', "'a\n"],
      ['', '- \n']
    ]
  },
  'lib/rag/markdown/front-matter.ts': {
    exports: frontMatter,
    walkers: { frontMatterEnd: (text) => frontMatter.frontMatterEnd(`---\na: b\n${text}`) }
  },
  'lib/rag/markdown/line.ts': {
    exports: markdownLine,
    walkers: {
      linesOf: (text) => [...markdownLine.linesOf(text)].length,
      openLine(text) {
        const line = markdownLine.openLine(text)
        markdownLine.skipSpace(line, text.length)
        markdownLine.skipMark(line, 1)
        return [markdownLine.indentOf(line), markdownLine.isBlank(line), markdownLine.restOf(line)]
      }
    },
    others: ['indentOf', 'isBlank', 'restOf', 'skipSpace', 'skipMark']
  },
  'lib/rag/markdown/marks.ts': {
    exports: marks,
    walkers: {
      fenceOf: marks.fenceOf,
      closesFence: (text) => marks.closesFence(text, { sign: '`', length: 3 }),
      atxHeadingOf: marks.atxHeadingOf,
      underlineOf: marks.underlineOf,
      isBreak: marks.isBreak,
      listMarkOf: marks.listMarkOf,
      htmlOf: (text) => marks.htmlOf(text, false)
    },
    once: [
      ['# ', '# '],
      ['<a ', 'a '],
      ['<a ', "a='b' "]
    ]
  },
  'lib/rag/markdown/tag.ts': {
    exports: tag,
    walkers: { tagEnd: (text) => tag.tagEnd(text, 0) },
    once: [
      ['<a ', 'a '],
      ['<a ', "a='b' "]
    ]
  },
  'lib/rag/markdown/link.ts': {
    exports: markdownLink,
    walkers: {
      labelAt: (text) => markdownLink.labelAt(text, 0),
      labelOf: markdownLink.labelOf,
      destinationEnd: (text) => markdownLink.destinationEnd(text, 0),
      titleEnd: (text) => markdownLink.titleEnd(text, 0)
    },
    once: [
      ['"', '\\"'],
      ['', '(']
    ]
  },
  'lib/rag/markdown/definition.ts': {
    exports: definition,
    walkers: { definitionsOf: definition.definitionsOf },
    once: [
      ['', '[a]: b "\n'],
      ['[a]: b\n', "'a\n"],
      ['[a]: b "', '\\"']
    ]
  },
  'lib/rag/markdown/inline.ts': {
    exports: inline,
    walkers: {
      'plainText, heading by heading': (text) => {
        for (let from = 0; from < text.length; from += 1_000)
          inline.plainText(text.slice(from, from + 1_000), () => false)
      }
    }
  },
  'lib/rag/markdown/character-reference.ts': {
    exports: characterReference,
    walkers: { referenceAt: (text) => characterReference.referenceAt(`&${text}`, 0) }
  },
  'lib/rag/block.ts': {
    exports: blocks,
    walkers: { splitLong: (text) => blocks.splitLong(text, 400), block: (text) => blocks.block(text, []) }
  },
  'lib/rag/pack.ts': {
    exports: pack,
    walkers: { packBlocks: (text) => pack.packBlocks(blocksOf(text), { most: 400, enough: 120 }) },
    others: ['roomOf']
  },
  'lib/rag/chunk.ts': {
    exports: chunk,
    walkers: {
      toChunk(text) {
        const made = blocksOf(text)
        return chunk.toChunk(made, wholeOf(made))
      },
      commonPath(text) {
        const made = blocksOf(text)
        return made.length > 0 && chunk.commonPath(made, 0, made.length)
      }
    },
    others: ['opens'],
    once: [
      ['', '#\n'],
      ['', '# a\n']
    ]
  },
  'lib/rag/reuse-chunks.ts': {
    exports: keep,
    walkers: {
      'findKept, of the same': (text) => {
        const made = blocksOf(text)
        return keep.findKept(made, made.map((_, at) => chunk.toChunk(made, { from: at, to: at + 1 })).slice(0, 5_000))
      },
      'findKept, of others that begin alike': (text) => {
        const made = blocksOf(text)
        const old = made.map((_, at) => chunk.toChunk(made, { from: at, to: Math.min(made.length, at + 3) }))
        return keep.findKept(
          made,
          old.slice(0, 5_000).map(({ body }) => ({ heading: 'other', body: `${body}x` }))
        )
      }
    },
    once: [
      ['', '# a\n'],
      ['# a\n', 'b\n\n']
    ]
  },
  'lib/rag/chunker.ts': {
    exports: chunker,
    walkers: {
      'createChunker, Markdown': (text) => chunking.chunk({ kind: 'markdown', text }),
      'createChunker, Markdown with its last version': async (text) => {
        const old = await chunking.chunk({ kind: 'markdown', text })
        return await chunking.chunk({ kind: 'markdown', text: `${text}\n\nx`, old })
      },
      'createChunker, code': (text) => chunking.chunk({ kind: 'code', text })
    }
  },
  'lib/rag/code.ts': {
    exports: code,
    // With a grammar it is the parser's time, which is held to a limit.
    walkers: { codeBlocks: (text) => code.codeBlocks({ withTree: async () => undefined }, 'none', text, 400) }
  },
  'lib/rag/code-language.ts': {
    exports: codeLanguage,
    walkers: { codeLanguage: codeLanguage.codeLanguage, codeLanguageNames: codeLanguage.codeLanguageNames }
  },
  'lib/text/token-estimate.ts': {
    exports: tokenEstimate,
    walkers: {
      estimateTokens: (text) => tokenEstimate.estimateTokens(text),
      cutAtTokens: (text) => tokenEstimate.cutAtTokens(text, 0, text.length)
    }
  },
  'lib/rag/query-text.ts': { exports: queryText, walkers: { parseQuery: queryText.parseQuery } },
  'lib/rag/embedding-text.ts': {
    exports: embeddingText,
    walkers: {
      embeddingText: (text) => embeddingText.embeddingText(source(text), { heading: text, body: text }),
      contentHash: embeddingText.contentHash,
      sourceHash: (text) => embeddingText.sourceHash(source(text)),
      chunksOf: (text) =>
        embeddingText.chunksOf(chunking, source(text), [{ heading: text, body: text }], { owner: 'a' })
    }
  },
  'lib/code/detect.ts': {
    exports: detect,
    walkers: { detectLanguage: (text) => detect.detectLanguage({ declared: text, path: text, source: text }) }
  },
  'lib/code/languages.ts': {
    exports: languages,
    walkers: { normalLanguage: languages.normalLanguage, languageOfPath: languages.languageOfPath }
  },
  'lib/code/python-lines.ts': {
    exports: pythonLines,
    walkers: { logicalLines: pythonLines.logicalLines, rowFinder: (text) => pythonLines.rowFinder(text)(text.length) },
    once: [
      ['', 'f"{'],
      ['f"', '{x:'],
      ['f"', '\\N{'],
      ['', '0x_']
    ]
  },
  'lib/code/python-proof.ts': {
    exports: pythonProof,
    walkers: { provenFault: (text) => pythonProof.provenFault(pythonLines.logicalLines(text).lines) },
    once: [
      ['', 'x\n '],
      ['', 'if x:\n']
    ]
  },
  'packages/text/src/greeting.ts': { exports: greeting, walkers: { ...greeting } },
  'packages/text/src/plain-letters.ts': { exports: plainLetters, walkers: { ...plainLetters } },
  'packages/text/src/match-title.ts': {
    exports: matchTitle,
    walkers: {
      wordTitles: (text) => matchTitle.wordTitles([{ title: text }]),
      namesNothing: matchTitle.namesNothing,
      withoutLead: matchTitle.withoutLead,
      matchTitle: (text) => matchTitle.matchTitle(text, matchTitle.wordTitles([{ title: text.slice(1) }])),
      wordsOf: (text) => matchTitle.wordsOf(text),
      tellingWords: (text) => matchTitle.tellingWords(wordsIn(text))
    }
  },
  'packages/text/src/named-in.ts': {
    exports: namedIn,
    walkers: {
      quotedNames: namedIn.quotedNames,
      isSaidIn: (text) => namedIn.isSaidIn(text.slice(-200), text),
      isMentioned: (text) => namedIn.isMentioned(text.slice(-200), text),
      fullerName: (text) => namedIn.fullerName(text.slice(-200), text),
      withoutTexts: (text) => namedIn.withoutTexts(text, [text.slice(-200)]),
      onlyOrders: namedIn.onlyOrders,
      namesOneOf: (text) => namedIn.namesOneOf('task', text),
      speaksOf: (text) => namedIn.speaksOf('goal', text)
    }
  },
  'lib/threads/title.ts': { exports: threadTitle, walkers: { titleOf: threadTitle.titleOf } },
  'lib/schemas/event-pattern.ts': {
    exports: webhookPattern,
    walkers: { matches: (text) => webhookPattern.matches(`${text}.*`, `${text}.${text}`) }
  },
  'lib/schemas/text.ts': {
    exports: texts,
    walkers: {
      isStorableText: texts.isStorableText,
      findUnstorable: (text) => texts.findUnstorable({ [text]: linesOf(text) }),
      atMostBytes: (text) => texts.atMostBytes(text.length)(text),
      'textSchema and its like': (text) =>
        [texts.textSchema, texts.titleSchema, texts.descriptionSchema, texts.idSchema, texts.timeSchema].map((each) =>
          each.safeParse(text)
        ),
      'the schemas with patterns': (text) => [
        registrationSchema.safeParse({ email: text, password: text, name: text }),
        webhookCreateSchema.safeParse({ url: text, events: [text], secret: text }),
        eventCreateSchema.safeParse({ type: `client.${text}`, data: {} }),
        eventQuerySchema.safeParse({ type: text, after: text }),
        courseCreateSchema.safeParse({ title: text, language: text, subject: text })
      ]
    }
  },
  'lib/events/delta-writer.ts': {
    exports: { openDeltaWriter },
    walkers: {
      async openDeltaWriter(text) {
        const log = { warn() {} } as never
        const writer = openDeltaWriter({ write: async (known, { length }) => known + length, run: 1, log })
        inPieces(text, 3, writer.append)
        await writer.close()
      }
    }
  },
  'lib/models/read-vectors.ts': {
    exports: readVectors,
    walkers: {
      parseNumbers: (text) => {
        try {
          readVectors.parseNumbers(`{"data":[NaN, ${text}`)
        } catch {
          // most texts are no JSON
        }
      },
      readVectors: (text) => readVectors.readVectors([{ embedding: text }], 1, 4)
    }
  },
  'packages/text/src/tokens.ts': {
    exports: tokens,
    walkers: {
      encodeTokens: tokens.encodeTokens,
      countTokens: tokens.countTokens,
      countingTokens: (text) => [...tokens.countingTokens([text])],
      tokenPieces: tokens.tokenPieces,
      decodeTokens: (text) => tokens.decodeTokens(Array.from(text.slice(0, 100_000), (sign) => sign.charCodeAt(0))),
      vocabularyRank: (text) => tokens.vocabularyRank(text.slice(0, 40))
    },
    once: [['', '`']]
  },
  'packages/offline-provider/src/words.ts': {
    exports: words,
    walkers: {
      wordWeight: (text) => wordsIn(text).map(words.wordWeight),
      isFunctionWord: words.isFunctionWord,
      isSpanish: words.isSpanish
    }
  },
  'packages/offline-provider/src/stem.ts': {
    exports: stem,
    walkers: { stem: stem.stem, 'stem, word by word': (text) => wordsIn(text).map(stem.stem) }
  },
  'packages/offline-provider/src/features.ts': {
    exports: features,
    walkers: { wordsOf: features.wordsOf, featuresOf: features.featuresOf }
  },
  'packages/offline-provider/src/embed.ts': {
    exports: embed,
    walkers: { embed: (text) => embed.embed(text) },
    others: ['similarity']
  },
  'packages/offline-provider/src/sketch.ts': {
    exports: sketch,
    walkers: {
      sketch: sketch.sketch,
      likeness: (text) => sketch.likeness(sketch.sketch(text), sketch.sketch(`${text} a`))
    }
  },
  'packages/offline-provider/src/sentences.ts': {
    exports: offlineSentences,
    walkers: {
      sentencesOf: offlineSentences.sentencesOf,
      speaksToModel: offlineSentences.speaksToModel,
      cited: (text) => offlineSentences.cited(text, 1)
    },
    once: [
      ['', '!'],
      ['', ' ']
    ]
  },
  'packages/offline-provider/src/titles.ts': {
    exports: titles,
    walkers: { ...titles },
    once: [
      ['x', ' '],
      ['- ', ' '],
      ['', 'to ']
    ]
  },
  'packages/text/src/commands.ts': { exports: commands, walkers: { ...commands } },
  'packages/offline-provider/src/route.ts': {
    exports: route,
    walkers: {
      chooseRoute: (text) => route.chooseRoute(['tutor', 'planner'], probePort({ user: text })),
      intentOf: (text) => route.intentOf(text, true),
      asksFor: (text) => (['plan', 'review', 'tutor'] as const).map((intent) => route.asksFor(intent, text)),
      asksForHelp: route.asksForHelp
    }
  },
  'packages/offline-provider/src/extract.ts': {
    exports: extract,
    walkers: {
      quoteAnswer: (text) => extract.quoteAnswer(text, [{ n: 1, title: text, content: text }]),
      summarize: (text) => extract.summarize(text, 5, 900)
    }
  },
  'packages/offline-provider/src/passages.ts': {
    exports: offlinePassages,
    walkers: {
      passagesInText: offlinePassages.passagesInText,
      withoutPassages: offlinePassages.withoutPassages,
      passagesInToolResult: (text) => offlinePassages.passagesInToolResult(text, 1),
      'passagesInToolResult, JSON': (text) =>
        offlinePassages.passagesInToolResult(
          JSON.stringify({ hits: linesOf(text).map((content) => ({ content })) }),
          1
        ),
      parseJson: offlinePassages.parseJson
    }
  },
  'packages/offline-provider/src/review-source.ts': {
    exports: reviewSource,
    walkers: { sourceIn: reviewSource.sourceIn },
    once: [
      ['```\n', '\n'],
      ['```\nclass ', 'a']
    ]
  },
  'packages/offline-provider/src/review-mask.ts': {
    exports: reviewMask,
    walkers: {
      'maskSource, JavaScript': (text) => masked(text, 'javascript'),
      'maskSource, Python': (text) => masked(text, 'python')
    }
  },
  'packages/offline-provider/src/line-finder.ts': {
    exports: lineFinder,
    walkers: {
      'lineFinder, place by place': (text) => {
        const lineAt = lineFinder.lineFinder(text)
        for (let at = 0; at < text.length; at++) lineAt(at)
      }
    }
  },
  'packages/offline-provider/src/review-rules.ts': {
    exports: reviewRules,
    walkers: {
      lineFindings: (text) => reviewRules.lineFindings(masked(text, 'javascript'), linesOf(text), 'javascript'),
      'lineFindings, Python': (text) => reviewRules.lineFindings(masked(text, 'python'), linesOf(text), 'python'),
      swallowedErrors: (text) => reviewRules.swallowedErrors(masked(text, 'javascript'), 'javascript'),
      'swallowedErrors, Python': (text) => reviewRules.swallowedErrors(masked(text, 'python'), 'python'),
      unusedParameters: (text) => reviewRules.unusedParameters(masked(text, 'javascript'), 'javascript'),
      'unusedParameters, Python': (text) => reviewRules.unusedParameters(masked(text, 'python'), 'python'),
      missingNames: (text) => reviewRules.missingNames(text, text)
    },
    once: [
      ['', 'catch('],
      ['', 'catch {}'],
      ['catch', ' '],
      ['function', ' ']
    ]
  },
  'packages/offline-provider/src/review.ts': {
    exports: review,
    walkers: {
      reviewMessage: (text) => review.reviewMessage(`${text}\n${fenced('js', text)}`),
      'reviewMessage, Python': (text) => review.reviewMessage(fenced('py', text)),
      'reviewMessage, in no language': (text) => review.reviewMessage(fenced('', text))
    }
  },
  'packages/offline-provider/src/conversation.ts': {
    exports: conversations,
    walkers: {
      readConversation: everywhere,
      'readConversation, in an element': (text) => probePort({ user: `<message>${text}</message>` }),
      withoutCode: conversations.withoutCode
    },
    others: ['isSystem'],
    once: [
      ['<a>', ' '],
      ['', '[1] a\n']
    ]
  },
  'packages/offline-provider/src/plan.ts': {
    exports: plan,
    walkers: { planTasks: (text) => plan.planTasks(everywhere(text)) },
    once: [['', '<goal ']]
  },
  'packages/offline-provider/src/plain-answer.ts': {
    exports: plainAnswer,
    walkers: {
      plainAnswer: (text) => plainAnswer.plainAnswer(everywhere(text)),
      'plainAnswer, a summary': (text) => plainAnswer.plainAnswer(probePort({ user: text, system: 'Summarise it.' })),
      'plainAnswer, a review': (text) =>
        plainAnswer.plainAnswer(probePort({ user: `Review my code\n${fenced('', text)}` }))
    }
  },
  'packages/offline-provider/src/structured.ts': {
    exports: structured,
    walkers: { structuredAnswer: (text) => structured.structuredAnswer(schema, everywhere(text)) }
  },
  'packages/offline-provider/src/tool-arguments.ts': {
    exports: toolArguments,
    walkers: {
      buildArguments: (text) => tools.map((tool) => toolArguments.buildArguments(tool, everywhere(text))),
      idFor: (text) => toolArguments.idFor('goalId', everywhere(text))
    },
    once: [['', '``` ']]
  },
  'packages/offline-provider/src/tool-rules.ts': {
    exports: toolRules,
    walkers: { decideTools: (text) => toolRules.decideTools(probePort({ user: text, assistant: text, system: text })) },
    once: [['', 'similar ']]
  },
  'packages/offline-provider/src/answer.ts': {
    exports: answer,
    walkers: { draftAnswer: (text) => answer.draftAnswer(everywhere(text)) }
  },
  'packages/offline-provider/src/prompt.ts': {
    exports: prompt,
    walkers: { promptTokens: (text) => prompt.promptTokens(callOf({ user: text })) }
  },
  'packages/offline-provider/src/completion.ts': {
    exports: completion,
    walkers: {
      completionOf: (text) =>
        completion.completionOf({ content: text, toolCalls: [] }, { ...callOf({}), stop: ['stop'] }, 10)
    }
  },
  'workers/agents/answer-filter.ts': {
    exports: answerFilter,
    walkers: {
      filterAnswer: (text) => answerFilter.filterAnswer(text, filter()),
      filtering: (text) => inTurns(answerFilter.filtering(text, filter())),
      'createAnswerFilter, sign by sign': (text) => {
        const { push, end } = filter()
        inPieces(text, 1, push)
        return end()
      },
      'createAnswerFilter, in tokens': (text) => {
        const { push, end } = filter()
        inPieces(text, 4, push)
        return end()
      }
    },
    once: [
      ['', '[a](c)'],
      ['', '![a](b)'],
      ['', '[1]: http://a\n']
    ]
  },
  'workers/agents/answer-stream.ts': {
    exports: answerStream,
    walkers: {
      createAnswerStream(text) {
        const deltas = { append() {}, reset() {}, close: async () => {} }
        const stream = answerStream.createAnswerStream({ deltas, partial() {} })
        inPieces(text, 4, stream.begin(filter()).push)
        return stream.finish(text, filter())
      }
    }
  },
  'workers/agents/untrusted-text.ts': {
    exports: asData,
    walkers: { asData: (text) => asData.asData('passage', text, { title: text }) }
  },
  'workers/agents/claims.ts': {
    exports: claims,
    walkers: { claimsChange: claims.claimsChange, withoutClaims: claims.withoutClaims }
  },
  'workers/agents/language.ts': { exports: language, walkers: { ...language } },
  'workers/agents/report.ts': {
    exports: report,
    walkers: {
      reportOf: (text) =>
        report.reportOf([{ kind: 'created', type: 'task', titles: [text], goal: text, leftOut: [text] }], 'en'),
      nothingSaved: () => report.nothingSaved('en', true),
      nothingUnderstood: () => report.nothingUnderstood('en')
    }
  },
  'workers/agents/code-fences.ts': {
    exports: codeFences,
    walkers: {
      'createFenceTracker, line by line': (text) => {
        const fences = codeFences.createFenceTracker()
        for (const line of linesOf(text)) {
          fences.isUndecided(line)
          fences.classify(line)
        }
      }
    },
    once: [['', '`']]
  },
  'workers/agents/links.ts': {
    exports: links,
    walkers: {
      linksIn: (text) => links.linksIn([text])(text),
      readTarget: (text) => links.readTarget(text, 0),
      decideTag: (text) => links.decideTag(text, true, linkable),
      decideBareLink: (text) => links.decideBareLink(`www.${text}`, true, linkable)
    },
    once: [['www.a', ')']]
  },
  'workers/agents/sentences.ts': {
    exports: agentSentences,
    walkers: { sentencesOf: (text) => agentSentences.sentencesOf(text) },
    once: [
      ['', ' '],
      ['', '`'],
      ['', 'e.g. ']
    ]
  },
  'workers/agents/hits.ts': {
    exports: hits,
    walkers: {
      addHits: (text) => hits.addHits([], [hit(text)]),
      passages: (text) => hits.passages(hits.addHits([], [hit(text)]).hits)
    }
  },
  'workers/agents/memory.ts': {
    exports: memory,
    walkers: {
      splitHistory: (text) => memory.splitHistory({ messages: [stored(text), stored(text)] } as never),
      historyMessages: (text) => memory.historyMessages([stored(text)]),
      summaryRequest: (text) => memory.summaryRequest(text, [stored(text)])
    }
  },
  'lib/models/reading/text.ts': {
    exports: readingText,
    walkers: {
      storable: readingText.storable,
      storableJson: readingText.storableJson,
      createTextCleaner: (text) => {
        const cleaner = readingText.createTextCleaner()
        for (const piece of piecesOf(text)) cleaner.push(piece)
        return cleaner.end()
      }
    },
    once: [
      ['', '\\u'],
      ['', '\\ud83d']
    ]
  },
  'lib/models/reading/thinking.ts': {
    exports: thinking,
    walkers: {
      createThinkingFilter: (text) => divided(text, {}),
      'createThinkingFilter, a thought': (text) => divided(`<think>${text}`, {}),
      'createThinkingFilter, not begun': (text) => divided(text, { isUnopened: true })
    },
    once: [
      ['', '<think>'],
      ['', '</think>'],
      ['', '`</think>'],
      ['a', '\n</think>'],
      ['', '<think></think>\n']
    ]
  },
  'lib/models/reading/content.ts': {
    exports: readingContent,
    walkers: {
      readContent: (text) =>
        readingContent.readContent([...piecesOf(text)].map((piece) => ({ type: 'text', text: piece }))),
      thoughtsBeside: (text) => readingContent.thoughtsBeside({ reasoning: text })
    }
  },
  'lib/models/reading/events.ts': {
    exports: wireEvents,
    walkers: {
      createEventReader: (text) => {
        const events = wireEvents.createEventReader(Number.MAX_SAFE_INTEGER)
        for (const piece of piecesOf(`data: ${text}`)) for (const event of events.push(piece)) void event
        return [...events.end()]
      }
    },
    once: [
      ['', 'data:\n'],
      ['', '\r'],
      ['', 'data:x\n']
    ]
  },
  'lib/models/reading/feed.ts': {
    exports: wireFeed,
    walkers: {
      createFeed: (text) => fed(text),
      'createFeed, whole': (text) => fed(JSON.stringify({ choices: [{ message: { content: text } }] })),
      'createFeed, events': (text) => {
        const chunks = [...piecesOf(text)].map(
          (content) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}`
        )
        return fed(chunks.join('\n\n'))
      }
    }
  },
  'lib/models/reading/chat-reading.ts': {
    exports: chatReading,
    walkers: { createChatReading: (text) => reading().take({ choices: [{ delta: { refusal: text } }] }) }
  },
  'lib/models/reading/json-end.ts': {
    exports: jsonEnd,
    walkers: { createJsonEnd: (text) => jsonEnd.createJsonEnd().push(text) }
  },
  'lib/models/reading/meter.ts': {
    exports: meter,
    walkers: {
      createTokenMeter: (text) => {
        const tokens = meter.createTokenMeter()
        for (const piece of piecesOf(text)) {
          tokens.add(piece)
          tokens.exceeds(text.length)
        }
        return tokens.count()
      }
    }
  },
  'lib/models/reading/tool-calls.ts': {
    exports: toolCalls,
    walkers: {
      createToolCalls: (text) => {
        const calls = toolCalls.createToolCalls()
        for (const piece of piecesOf(text)) calls.take([{ function: { name: 'a', arguments: piece } }])
        return calls.done('a')
      }
    },
    once: [['{', '}']]
  },
  'workers/agents/structured-answer.ts': {
    exports: structuredAnswer,
    walkers: {
      structuredAnswer: (text) =>
        structuredAnswer
          .structuredAnswer(
            async () => ({ content: `\`\`\`\n${text}`, refusal: null, finishReason: 'stop' }) as never,
            {
              step: 'a',
              name: 'a',
              schema: z.object({}),
              messages: [],
              signal: new AbortController().signal
            }
          )
          .catch(() => undefined)
    },
    others: ['strictJsonSchema'],
    once: [['', '\n']]
  },
  'workers/agents/tools/record-text.ts': {
    exports: recordText,
    walkers: {
      snapshotFound: (text) =>
        recordText.snapshotFound({ language: text, path: null, note: text, source: text } as never),
      goalFound: (text) => recordText.goalFound({ title: text, description: text, dueAt: null, progress: 0 } as never),
      taskFound: (text) => recordText.taskFound({ title: text, description: text, dueAt: null } as never)
    }
  }
}
