// Runs the network-boot client as a program in the machine's network namespace: what it says is the machine's
// screen, its exit status says whether a kernel could start.

import { parseArgs } from 'node:util'
import { messageOf } from '#progress/wait.ts'
import { netboot } from './boot.ts'

const { values } = parseArgs({
  options: {
    mac: { type: 'string', default: '' },
    uuid: { type: 'string', default: '' },
    interface: { type: 'string', default: 'eth0' },
    memory: { type: 'string', default: '.' },
    limit: { type: 'string', default: '600' },
  },
})
try {
  await netboot(
    values,
    line => process.stdout.write(`${line}\n`),
    AbortSignal.timeout(Number(values.limit) * 1000),
  )
} catch (error) {
  process.stdout.write(`No boot: ${messageOf(error)}\n`)
  process.exitCode = 1
}
