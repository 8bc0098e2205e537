import { isGreeting } from '@goals/text'
import test from 'ava'
import { chatForFile, createLesson } from '../../helpers/chat.ts'

const { stage: newStage } = chatForFile(test)

async function learner() {
  const stage = await newStage()
  const { course } = await createLesson(stage)
  await stage.embedAll()
  return { stage, courseId: course.id }
}

for (const message of ['hello', 'Hi there!', 'Hello, how are you?', '¡Hola! ¿Qué tal?', 'thank you very much']) {
  test(`a greeting is answered with what can be done, from no passage and without a search: ${message}`, async (t) => {
    const { stage, courseId } = await learner()
    const { result } = await stage.ask({ message, courseId })
    t.deepEqual(result.citations, [])
    t.regex(
      result.message.content,
      /questions with citations.*plan.*review code|preguntas con citas.*plan.*revisar código/
    )
    t.is(stage.provider.invoice().filter(({ path }) => path.includes('embeddings')).length, 0)
  })
}

test('words that do more than greet are no greeting', (t) => {
  for (const message of [
    'Hello world in Rust?',
    'ok, mark it as done',
    'thanks, and what is recursion?',
    'good loops',
    ''
  ]) {
    t.false(isGreeting(message), message)
  }
})

for (const message of [
  'What is the capital of France?',
  'Who won the world cup in 1998?',
  'Write me a poem about the sea',
  'Is it going to rain tomorrow?',
  '¿Cuál es la capital de Francia?'
]) {
  test(`what the material has nothing on is said, and nothing of it cited: ${message}`, async (t) => {
    const { stage, courseId } = await learner()
    const { result } = await stage.ask({ message, courseId, agent: 'tutor' })
    t.deepEqual(result.citations, [])
    t.notRegex(result.message.content, /\[\d+\]/)
    t.regex(result.message.content, /I found nothing in|No encontré nada en/)
  })
}

test('a model is given no passages that have nothing to do with the question', async (t) => {
  const { stage, courseId } = await learner()
  const seen = stage.answer({ content: 'The capital is Paris [1].' })
  const { result } = await stage.ask({ message: 'What is the capital of France?', courseId, agent: 'tutor' })
  t.notRegex(seen.messages.at(-1)?.text ?? '', /<passage/)
  t.is(result.message.content, 'The capital is Paris.')
  const about = stage.answer({ content: 'It ends [1].' })
  await stage.ask({ message: 'What ends the recursion?', courseId, agent: 'tutor' })
  t.regex(about.messages.at(-1)?.text ?? '', /<passage n="1"[^>]*title="Recursion"/)
})

test('the platform without any material says how to get some', async (t) => {
  const stage = await newStage()
  const { result } = await stage.ask({ message: 'How does a recursive function end?' })
  t.regex(result.message.content, /found nothing in your material.*npm run demo/)
  t.is(result.model, stage.models.chatModel)
})
