// `pilotlight machines`: what an operator decides on the keys that machines show, and which boots are opened.

import type { Command } from 'commander'
import type { MachineKeyView, ReopeningView } from '#server/http/machine-keys.ts'
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
  pilotlight machines reopen cmp-3
  pilotlight machines reopen cmp-3 --undo`,
    )

  machines
    .command('pending')
    .description('lists the keys that wait for a decision, and why; and the machines that are open')
    .addOption(serverOption())
    .option('--json', 'the keys as JSON')
    .action(async ({ server, json }: Flags) => {
      const client = await clientOf(server)
      const keys = await client.keys('pending')
      if (json) return print(JSON.stringify(keys, undefined, 2))
      print([keyTable(keys), ...(await client.reopened()).map(openLine)].join('\n'))
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
    .description(
      "opens the next boot of a machine that was ready, until the site's trust.deadline: its key is taken as a first one",
    )
    .argument('<name>', 'name of the machine')
    .addOption(serverOption())
    .option('--undo', 'closes it again')
    .action(async (name: string, { server, undo }: Flags & { readonly undo?: boolean }) => {
      const client = await clientOf(server)
      if (undo) {
        const { who } = await client.closeReopened(name)
        return print(`${name} is closed (${who} had opened it)`)
      }
      print(openLine(await client.reopen(name)))
    })
}

/** A machine that is open, until when, and how it is closed. */
function openLine({ machine, who, until }: ReopeningView): string {
  const end = `${until.slice(0, 16)}Z`
  return `${machine}: its next boot is open until ${end} (by ${who}); to close it:  pilotlight machines reopen ${machine} --undo`
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
