import test from 'ava'
import { asksForChanges, commandsIn } from '../src/commands.ts'

test('asking for records to be made or changed is told from asking about them', (t) => {
  const orders = [
    'Create a goal to learn Rust',
    'Please add these tasks:\n- one\n- two',
    'Could you create three tasks for recursion?',
    'Break my goal down into tasks',
    'Make a plan and save it',
    'Mark the task as completed',
    'I finished the exercise "Two Fer".',
    'Rename the goal to "Learn Go"'
  ]
  const questions = [
    'How do I add a task to a queue in Python?',
    'What does it take to complete this task?',
    'Should I break this down into steps?',
    'Make me a plan to learn closures',
    'I am done with loops. Explain closures.',
    'Write a function that adds two numbers',
    'Explain how to create a goal tracker',
    'Which tasks are done?'
  ]
  for (const order of orders) t.true(asksForChanges(order), order)
  for (const question of questions) t.false(asksForChanges(question), question)
})

test('a goal and its tasks may be asked for at once', (t) => {
  t.like(commandsIn('Create a goal to learn Rust and break it down into tasks'), {
    createGoal: true,
    createTasks: true
  })
  t.like(commandsIn('Create these tasks for my goal: read, write'), { createGoal: false, createTasks: true })
})
