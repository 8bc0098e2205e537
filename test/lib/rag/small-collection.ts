const exercises: [slug: string, title: string, text: string, javascript: string, python: string, query: string][] = [
  [
    'mirror-word',
    'Mirror Word',
    'Give back a word with its letters in the opposite order. The empty word stays empty.',
    'export const mirror = (word) => [...word].reverse().join("")',
    'def mirror(word):\n    return word[::-1]\n',
    'turn the letters of a word around'
  ],
  [
    'shop-change',
    'Shop Change',
    'Pay an amount with as few coins as possible, given the values of the coins in the till.',
    'export const change = (coins, amount) => coins.filter((coin) => coin <= amount)',
    'def change(coins, amount):\n    return [coin for coin in coins if coin <= amount]\n',
    'the smallest number of coins for an amount'
  ],
  [
    'bus-timetable',
    'Bus Timetable',
    'Tell at which minute after noon the next bus leaves, when buses leave at a fixed interval.',
    'export const next = (now, interval) => Math.ceil(now / interval) * interval',
    'import math\n\ndef next_bus(now, interval):\n    return math.ceil(now / interval) * interval\n',
    'when does the next bus leave'
  ],
  [
    'garden-fence',
    'Garden Fence',
    'Work out how many posts and boards a fence around a rectangular garden needs.',
    'export const posts = (width, depth) => 2 * (width + depth)',
    'def posts(width, depth):\n    return 2 * (width + depth)\n',
    'posts needed to fence a rectangle'
  ],
  [
    'letter-score',
    'Letter Score',
    'Add up what the letters of a word are worth in a board game, rare letters being worth more.',
    'export const score = (word, worth) => [...word].reduce((sum, letter) => sum + worth[letter], 0)',
    'def score(word, worth):\n    return sum(worth[letter] for letter in word)\n',
    'points for the letters of a word in a board game'
  ]
]
const languages = ['javascript', 'python'] as const

/** Ten tasks with their solutions and two pages, in the shape of the learning data. */
export const smallCollection = {
  courses: languages.map((id) => ({ id, title: id, description: `Exercises in ${id}`, language: id })),
  documents: languages.map((course) => ({
    id: `${course}/functions`,
    course,
    title: 'functions',
    markdown: `# Functions\n\nA function in ${course} takes arguments and returns a value.\n`
  })),
  tasks: languages.flatMap((course) =>
    exercises.map(([slug, title, instructions]) => ({ id: `${course}/${slug}`, course, title, instructions }))
  ),
  codeSnapshots: languages.flatMap((language, index) =>
    exercises.map(([slug, , , ...solutions]) => ({
      id: `${language}/${slug}`,
      task: `${language}/${slug}`,
      language,
      source: solutions[index] as string
    }))
  ),
  queries: exercises.map(([relevantTask, , , , , query]) => ({ query, relevantTask }))
}
