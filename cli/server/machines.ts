// `pilotlight machines`: what an operator decides on the keys that machines show, and which boots are opened.

import type { Command } from 'commander'
import { cleanText } from '#model/clean.ts'
import { Failure } from '#model/error.ts'
import type { MachineKeyView, ReopeningView } from '#model/machine-key.ts'
import { addSubverbs, type Subverb } from '../subverbs.ts'
import { serverOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'
import { tableOf } from '../terminal/table.ts'

type Flags = { readonly server: string; readonly json?: boolean }
type KeyFlags = Flags & { readonly fingerprint?: string }

export function defineMachines(command: Command): void {
  command.addHelpText(
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
  addSubverbs(command, VERBS)
}

const VERBS: readonly Subverb[] = [
  {
    name: 'pending',
    summary: 'lists the keys that wait for a decision, and why; and the machines that are open',
    define: definePending,
  },
  {
    name: 'approve',
    summary: 'approves a key: the machine gets its bundle, and must show this key from then on',
    define: decision('approve'),
  },
  {
    name: 'reject',
    summary:
      'rejects the key that waits, or the one that the machine has: who shows it is refused, and its encrypted disk gets no key',
    define: decision('reject'),
  },
  {
    name: 'reopen',
    summary:
      "opens the next boot of a machine that was ready, until the site's trust.deadline: its key is taken as a first one",
    define: defineReopen,
  },
]

function definePending(command: Command): void {
  command
    .addOption(serverOption())
    .option('--json', 'the keys as JSON')
    .action(async ({ server, json }: Flags) => {
      const client = await clientOf(server)
      const keys = await client.keys('pending')
      if (json) return printJson(keys)
      print([keyTable(keys), ...(await client.reopened()).map(openLine)].join('\n'))
    })
}

function decision(verb: 'approve' | 'reject') {
  return (command: Command): void => {
    command
      .argument('<name...>', 'names of machines')
      .addOption(serverOption())
      .option(
        '--fingerprint <text>',
        'the key of one machine; needed when more than one waits, or was shown in the same boot',
      )
      .option('--json', 'as JSON')
      .action(async (names: readonly string[], { server, fingerprint, json = false }: KeyFlags) => {
        if (names.length > 1 && fingerprint !== undefined) {
          const what = `--fingerprint is the key of one machine, and ${names.length} are named`
          throw new Failure('BAD_OPTION', what, approveCommand(names[0] ?? '', fingerprint))
        }
        const client = await clientOf(server)
        const { forEach } = await import('../each.ts')
        await forEach(names, json, async name => {
          const key = await client.decideKey(name, verb, fingerprint)
          return { state: key.state, line: `${key.machine}: ${key.fingerprint} is ${key.state}` }
        })
      })
  }
}

function defineReopen(command: Command): void {
  command
    .argument('<name...>', 'names of machines')
    .addOption(serverOption())
    .option('--undo', 'closes them again')
    .option('--json', 'as JSON')
    .action(async (names: readonly string[], flags: Flags & { readonly undo?: boolean }) => {
      const { server, undo = false, json = false } = flags
      const client = await clientOf(server)
      const { forEach } = await import('../each.ts')
      await forEach(names, json, async name => {
        if (!undo) return { state: 'open', line: openLine(await client.reopen(name)) }
        const { who } = await client.closeReopened(name)
        return { state: 'closed', line: `${name} is closed (${who} had opened it)` }
      })
    })
}

/** A machine that is open, until when, and how it is closed. */
export function openLine({ machine, who, until }: Omit<ReopeningView, 'at'>): string {
  const end = `${until.slice(0, 16)}Z`
  return `${machine}: its next boot is open until ${end} (by ${who}); to close it:  pilotlight machines reopen ${machine} --undo`
}

/** The command that approves one key. */
export function approveCommand(machine: string, fingerprint: string): string {
  return `pilotlight machines approve ${machine} --fingerprint ${fingerprint}`
}

/** Keys as a table for a person, each with the reason below it; those of a machine with several are marked with `!`. */
export function keyTable(keys: readonly MachineKeyView[]): string {
  if (keys.length === 0) return 'no key waits'
  const counts = Map.groupBy(keys, ({ machine }) => machine)
  const several = (machine: string) => counts.get(machine)?.length ?? 1
  const rows = keys.map(({ machine, fingerprint, address, mac, port, seen }) => ({
    machine: several(machine) > 1 ? `! ${machine}` : machine,
    fingerprint,
    address,
    mac,
    port,
    seen: `${seen.slice(0, 19)}Z`,
  }))
  const [heading = '', ...lines] = tableOf(
    ['machine', 'fingerprint', 'address', 'mac', 'port', 'seen'],
    rows,
  ).split('\n')
  return [
    heading,
    ...lines.flatMap((line, at) => {
      const { machine = '', why = '' } = keys[at] ?? {}
      const others = several(machine) > 1 ? `one of ${several(machine)} keys that wait for ${machine}; ` : ''
      return [line, cleanText(`  ${others}${why}`, Infinity)]
    }),
  ].join('\n')
}

async function clientOf(base: string) {
  const { ServerClient } = await import('#client/server.ts')
  return new ServerClient(base)
}
