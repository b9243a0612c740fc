// The client of the `dhcp` package, run inside a network namespace: prints what it was bound to, as JSON.

import { createRequire } from 'node:module'

type Client = {
  on(
    event: 'bound' | 'error',
    heard: (state: { address?: string; options?: Record<string, unknown> }) => void,
  ): void
  listen(port?: number, host?: string, done?: () => void): void
  sendDiscover(): void
}

const dhcp = createRequire(import.meta.url)('dhcp') as { createClient(options: object): Client }
const client = dhcp.createClient({ mac: process.argv[2] })
client.on('bound', state => {
  process.stdout.write(`${JSON.stringify(state)}\n`, () => process.exit())
})
client.on('error', problem => {
  process.stderr.write(`${JSON.stringify(problem)}\n`, () => process.exit(1))
})
client.listen(68, '0.0.0.0', () => client.sendDiscover())
