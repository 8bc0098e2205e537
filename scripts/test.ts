import { spawn } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Services, startServices } from './services/index.ts'
import { checkReachable } from './start/check-reachable.ts'
import { createClosers } from './start/closers.ts'
import { lockFolder } from './start/folder-lock.ts'
import { createProgress } from './start/progress.ts'
import { explain } from './start/report.ts'
import { countTests } from './start/test-counts.ts'
import { untilSignal } from './start/until-signal.ts'
import { createTestTemplate } from './test-template.ts'
import { writeGroups } from './test/groups.ts'

/** `npm test [-- arguments of ava]`: starts the services that tests need, runs ava, and stops what it started. */

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs ava with its output shown and kept; resolves with both. A signal that reaches us reaches ava too. */
function runAva(args: string[], env: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const ava = join(root, 'node_modules', '.bin', 'ava')
    const child = spawn(process.execPath, [ava, ...args], {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let output = ''
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr]
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        to.write(chunk)
      })
    }
    void untilSignal(() => child.kill('SIGKILL')).then((signal) => child.kill(signal))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

function environment(
  { databaseUrl, redisUrl, rabbitmqUrl, chromium }: Services,
  template: string,
  compiled: string,
  files: string[] | undefined
): NodeJS.ProcessEnv {
  const colours = process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {}
  return {
    ...process.env,
    ...colours,
    // A third of what a test process costs is compiling what the one before it compiled. Coverage is of source alone.
    ...(process.env.NODE_V8_COVERAGE ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || compiled }),
    PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
    ...(files ? { TEST_FILES: files.join('\n') } : {}),
    TEST_DATABASE_URL: databaseUrl,
    TEST_DATABASE_TEMPLATE: template,
    TEST_REDIS_URL: redisUrl,
    TEST_RABBITMQ_URL: rabbitmqUrl,
    TEST_CHROMIUM: process.env.TEST_CHROMIUM || chromium
  }
}

async function main(): Promise<number> {
  const { TEST_DATABASE_URL, TEST_REDIS_URL, TEST_RABBITMQ_URL, TEST_CHROMIUM } = process.env
  const wanted = {
    databaseUrl: TEST_DATABASE_URL || undefined,
    redisUrl: TEST_REDIS_URL || undefined,
    rabbitmqUrl: TEST_RABBITMQ_URL || undefined
  }
  const dataDir = join(root, '.data', 'test')
  const { step } = createProgress(process.stdout)
  const closers = createClosers()
  try {
    if (Object.values(wanted).includes(undefined)) closers.add(await lockFolder(dataDir))
    await checkReachable(wanted, step)
    const services = await startServices({
      dataDir,
      wanted,
      browser: !TEST_CHROMIUM,
      durable: false,
      step,
      env: process.env
    })
    closers.add(services.stop)
    const template = await step('migrate', () => createTestTemplate(services.databaseUrl))
    closers.add(template.remove)
    const args = process.argv.slice(2)
    // Whoever asks for files or titles gets each file in a process of its own.
    const files = args.length === 0 ? await writeGroups(root, join(dataDir, 'groups')) : undefined
    const env = environment(services, template.name, join(dataDir, 'compiled'), files)
    const { code, output } = await runAva(args, env)
    const { passed, failed, skipped } = countTests(output, code)
    console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
    return code === 0 && failed > 0 ? 1 : code
  } finally {
    await closers.closeAll()
  }
}

try {
  process.exit(await main())
} catch (error) {
  console.error(`\n${explain(error)}`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}
