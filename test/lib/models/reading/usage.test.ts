import { seededRandom } from '@goals/offline-provider'
import test from 'ava'
import { completed, isComplete, readUsage } from '../../../../lib/models/reading/usage.ts'
import { costOf } from '../../../../lib/money.ts'

const told = (usage: unknown, received = true) => {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = readUsage(usage, received)
  return [promptTokens, cachedTokens, completionTokens, reasoningTokens]
}

test('what is told is believed when it can be, derived when the total allows it, and else not known', (t) => {
  const cases: [unknown, unknown[]][] = [
    [{ prompt_tokens: 21, completion_tokens: 10, total_tokens: 31 }, [21, 0, 10, 0]],
    [{ prompt_tokens: 21, total_tokens: 31 }, [21, 0, 10, 0]],
    [{ completion_tokens: 10, total_tokens: 31 }, [21, 0, 10, 0]],
    [{ completion_tokens: 10 }, [undefined, 0, 10, 0]],
    [{ total_tokens: 31 }, [undefined, 0, undefined, 0]],
    [{}, [undefined, 0, undefined, 0]],
    [null, [undefined, 0, undefined, 0]],
    [
      [21, 10],
      [undefined, 0, undefined, 0]
    ],
    [{ prompt_tokens: null, completion_tokens: null, total_tokens: null }, [undefined, 0, undefined, 0]],
    [{ prompt_tokens: 20.5, completion_tokens: 10.5, total_tokens: 31 }, [undefined, 0, undefined, 0]],
    [{ prompt_tokens: 20.5, completion_tokens: 10, total_tokens: 31 }, [21, 0, 10, 0]],
    [{ prompt_tokens: -21, completion_tokens: -10 }, [undefined, 0, undefined, 0]],
    [{ prompt_tokens: 1e300, completion_tokens: 1e300 }, [undefined, 0, undefined, 0]],
    [{ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, [undefined, 0, undefined, 0]],
    [{ prompt_tokens: '21', completion_tokens: '10' }, [undefined, 0, undefined, 0]],
    [{ prompt_tokens: 50, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 100_000 } }, [50, 0, 10, 0]],
    [{ prompt_tokens: 50, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 40 } }, [50, 40, 10, 0]],
    [{ prompt_tokens: 50, completion_tokens: 10, prompt_tokens_details: { cached_tokens: -1 } }, [50, 0, 10, 0]],
    [
      {
        prompt_tokens: 21,
        completion_tokens: 10,
        total_tokens: 4_031,
        completion_tokens_details: { reasoning_tokens: 4_000 }
      },
      [21, 0, 4_010, 4_000]
    ],
    [
      { prompt_tokens: 21, completion_tokens: 10, completion_tokens_details: { reasoning_tokens: 40 } },
      [21, 0, 50, 40]
    ],
    [{ prompt_tokens: 21, completion_tokens: 10, completion_tokens_details: { reasoning_tokens: 4 } }, [21, 0, 10, 4]],
    [{ prompt_tokens: 21, completion_tokens: 10, total_tokens: 4_031 }, [21, 0, 4_010, 4_000]],
    [{ prompt_tokens: 21, completion_tokens: 10, total_tokens: 5 }, [21, 0, 10, 0]],
    [{ input_tokens: 21, output_tokens: 10 }, [21, 0, 10, 0]]
  ]
  for (const [usage, wanted] of cases) t.deepEqual(told(usage), wanted, JSON.stringify(usage))
  t.deepEqual(told({ prompt_tokens: 21, completion_tokens: 0, total_tokens: 21 }, false), [21, 0, 0, 0])
})

test('whatever is told, nothing is negative, no part exceeds its whole, and no cost is below that of what is left', (t) => {
  const random = seededRandom(11)
  const price = { input: 150_000n, cachedInput: 75_000n, output: 600_000n }
  const values = [0, 1, 21, 100, 4_031, -1, 0.5, 1e9, 1e300, null, 'x', {}, undefined, Number.MAX_SAFE_INTEGER]
  const any = () => values[Math.floor(random() * values.length)]
  for (let n = 0; n < 20_000; n++) {
    const usage = {
      prompt_tokens: any(),
      completion_tokens: any(),
      total_tokens: any(),
      prompt_tokens_details: random() < 0.5 ? { cached_tokens: any() } : any(),
      completion_tokens_details: random() < 0.5 ? { reasoning_tokens: any() } : any()
    }
    const read = readUsage(usage, random() < 0.5)
    const settled = isComplete(read) ? read : completed(read, { promptTokens: 7, completionTokens: 3 })
    const message = JSON.stringify(usage)
    for (const value of Object.values(settled)) t.true(Number.isSafeInteger(value) && value >= 0, message)
    t.true(settled.cachedTokens <= settled.promptTokens && settled.reasoningTokens <= settled.completionTokens, message)
    t.true(costOf(settled, price) >= 0n, message)
  }
})
