// `pilotlight machines`: what an operator decides on the keys that machines show, and which boots are opened.

import type { Command } from 'commander'
import type { MachineKeyView } from '#server/http/machine-keys.ts'
import { serverOption } from './options.ts'

type Flags = { readonly server: string; readonly json?: boolean }
type KeyFlags = { readonly server: string; readonly fingerprint?: string }

/** Adds the verb and what is below it. */
export function addMachinesCommand(program: Command): void {
  const machines = program
    .command('machines')
    .description('keys of machines: pending, approve, reject; and boots: reopen')
    .addHelpText(
      'after',
      `
A machine that waits shows the fingerprint of its key on its console. Compare before you approve: everything else that
is shown of it (MAC, UUID, address) any host on the wire can copy.

Examples:
  pilotlight machines pending
  pilotlight machines approve ctl-1 --fingerprint SHA256:…
  pilotlight machines reject ctl-1
  pilotlight machines reopen cmp-3`,
    )

  machines
    .command('pending')
    .description('lists the keys that wait for a decision, and why')
    .addOption(serverOption())
    .option('--json', 'as JSON')
    .action(async ({ server, json }: Flags) => {
      const keys = await (await clientOf(server)).keys('pending')
      print(json ? JSON.stringify(keys, undefined, 2) : keyTable(keys))
    })

  for (const [verb, what] of [
    ['approve', 'approves a key: the machine gets its bundle, and must show this key from then on'],
    ['reject', 'rejects a key: a machine that shows it is refused'],
  ] as const) {
    machines
      .command(verb)
      .description(what)
      .argument('<name>', 'name of the machine')
      .addOption(serverOption())
      .option(
        '--fingerprint <text>',
        'the key; needed when more than one waits, or was shown in the same boot',
      )
      .action(async (name: string, { server, fingerprint }: KeyFlags) => {
        const key = await (await clientOf(server)).decideKey(name, verb, fingerprint)
        print(`${key.machine}: ${key.fingerprint} is ${key.state}`)
      })
  }

  machines
    .command('reopen')
    .description('opens the next boot of a machine that was ready: its key is taken as a first one')
    .argument('<name>', 'name of the machine')
    .addOption(serverOption())
    .action(async (name: string, { server }: Flags) => {
      await (await clientOf(server)).reopen(name)
      print(`${name}: its next boot is open`)
    })
}

/** Keys as a table for a person, each with the reason below it. */
export function keyTable(keys: readonly MachineKeyView[]): string {
  if (keys.length === 0) return 'no key waits'
  const rows = [
    ['MACHINE', 'FINGERPRINT', 'ADDRESS', 'MAC', 'PORT'],
    ...keys.map(({ machine, fingerprint, address, mac, port }) => [
      machine,
      fingerprint,
      address,
      mac,
      port ?? '-',
    ]),
  ]
  const widths = [0, 1, 2, 3].map(column => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return lines.flatMap((line, at) => (at === 0 ? [line] : [line, `  ${keys[at - 1]?.why ?? ''}`])).join('\n')
}

async function clientOf(base: string) {
  const { ServerClient } = await import('./server-client.ts')
  return new ServerClient(base)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
