import test from 'ava'
import { type ChatStage, chatForFile } from '../../helpers/chat.ts'

const { stage: newStage } = chatForFile(test)

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
  let told = ''
  stage.provider.script({
    match: (_last, call) => {
      told = call.messages.at(-1)?.text ?? ''
      return true
    },
    content: 'Ships [1].'
  })
  await stage.ask({ message: 'What does a lighthouse warn of?', courseId, agent: 'tutor' })
  const found = [...told.matchAll(/title="(\w+) \d"/g)].map(([, name]) => name)
  t.deepEqual(found, ['Course', 'Course', 'Elsewhere', 'Course', 'Course', 'Elsewhere'])
})
