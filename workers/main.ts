import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { runProcess } from '../lib/process.ts'
import { startWorkers } from './start-workers.ts'

/** A container that is started again has the host name and often the process id of the one that died. */
const workerName = () => `${hostname()}-${randomBytes(4).toString('hex')}-${process.pid}`

/** Entry of a worker process: the pools that the configuration names, the relay, the reconciler and the audit writer. */
await runProcess({
  name: 'workers',
  requires: ['databaseUrl', 'redisUrl', 'rabbitmqUrl'],
  async start({ config, context }) {
    const workers = await startWorkers({ context, name: workerName() })
    return { ready: { queues: config.workerQueues }, stop: workers.stop }
  }
})
