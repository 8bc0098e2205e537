import test from 'ava'
import { type ChatStage, chatForFile } from '../../helpers/chat.ts'

const { stage: newStage } = chatForFile(test)

/** What the model is told for a question. */
async function toldFor(stage: ChatStage, input: { message: string; courseId: string }): Promise<string> {
  const seen = stage.answer({ content: 'Ships [1].' })
  await stage.ask({ agent: 'tutor', ...input })
  return seen.messages.at(-1)?.text ?? ''
}

/** A course of six pages about the same thing. */
async function pages({ records, person, embedAll }: ChatStage, name: string, visibility: 'private' | 'public') {
  const course = await records.run(async (trx) => {
    const created = await records.courses.create(trx, person, { title: name, language: 'en', visibility })
    for (let page = 1; page <= 6; page++) {
      const markdown = `Lighthouses of ${name}, part ${page}: a lighthouse warns ships of page ${page}.`
      await records.documents.create(trx, person, { courseId: created.id, title: `${name} ${page}`, markdown })
    }
    return created
  })
  await embedAll()
  return course.id
}

test('most of what a question is answered from comes from the course that it is about', async (t) => {
  await pages(await newStage(), 'Elsewhere', 'public')
  const stage = await newStage()
  const courseId = await pages(stage, 'Course', 'private')
  const told = await toldFor(stage, { message: 'What does a lighthouse warn of?', courseId })
  const found = [...told.matchAll(/title="(\w+) \d"/g)].map(([, name]) => name)
  t.deepEqual(found, ['Course', 'Course', 'Elsewhere', 'Course', 'Course', 'Elsewhere'])
})

test('a page that is found by a later part is told with its beginning', async (t) => {
  const stage = await newStage()
  const { records, person } = stage
  const filler = Array.from(
    { length: 40 },
    (_, line) => `Line ${line} is about sails, masts and the ropes of old ships.`
  )
  const markdown = [
    '# Beacons',
    'A beacon is a fire on a hill.',
    '## Sails',
    filler.join('\n\n'),
    '## Tides',
    'At spring tide nobody lights one.'
  ].join('\n\n')
  const courseId = await records.run(async (trx) => {
    const course = await records.courses.create(trx, person, { title: 'Sea', language: 'en', visibility: 'private' })
    await records.documents.create(trx, person, { courseId: course.id, title: 'Signals', markdown })
    return course.id
  })
  await stage.embedAll()
  const told = await toldFor(stage, { message: 'Who lights what at spring tide?', courseId })
  t.regex(
    told,
    /<passage n="1"[^>]*title="Signals">\s*A beacon is a fire on a hill\.[^<]*\n…\n[^<]*At spring tide nobody lights one\./
  )
})
