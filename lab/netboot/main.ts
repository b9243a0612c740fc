// Runs the network-boot client as a program in the machine's network namespace: what it says is the machine's
// screen, its exit status says whether a kernel could start.

import { parseArgs } from 'node:util'
import { messageOf } from '#progress/wait.ts'
import { netboot } from './boot.ts'

const LIMIT_SECONDS = 600

const { values } = parseArgs({
  options: {
    mac: { type: 'string', default: '' },
    uuid: { type: 'string', default: '' },
    interface: { type: 'string', default: 'eth0' },
    memory: { type: 'string', default: '.' },
  },
})
try {
  await netboot(values, line => process.stdout.write(`${line}\n`), AbortSignal.timeout(LIMIT_SECONDS * 1000))
} catch (error) {
  process.stdout.write(`No boot: ${messageOf(error)}\n`)
  process.exitCode = 1
}
