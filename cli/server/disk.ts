// `pilotlight disk`: the keys of machines' encrypted disks.

import type { Command } from 'commander'
import { cleanText } from '#model/clean.ts'
import type { RecoveryKeyView } from '#model/disk-key.ts'
import { addSubverbs, type Subverb } from '../subverbs.ts'
import { serverOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'

type Flags = { readonly server: string; readonly json?: boolean }

export function defineDisk(command: Command): void {
  command.addHelpText(
    'after',
    `
Both take the role admin. Each call is in the audit log and in the journal of the machine. What an encrypted disk defends
against is in docs/how-to/encrypt-a-disk.md.

Examples:
  pilotlight disk unlock cmp-1
  pilotlight disk unlock cmp-1 --undo
  pilotlight disk recovery-key cmp-1`,
  )
  addSubverbs(command, VERBS)
}

const VERBS: readonly Subverb[] = [
  {
    name: 'unlock',
    summary: 'has the server hand the key to a machine whose TPM does not give it, within an hour',
    define: defineUnlock,
  },
  {
    name: 'recovery-key',
    summary: 'prints what opens the disk of a machine, to be typed at its console',
    define: defineRecoveryKey,
  },
]

function defineUnlock(command: Command): void {
  command
    .argument('<machine...>', 'names of machines')
    .addOption(serverOption())
    .option('--undo', 'takes it back, before the hour is over')
    .option('--json', 'as JSON')
    .action(async (names: readonly string[], flags: Flags & { undo?: boolean }) => {
      const { server: base, json = false, undo = false } = flags
      const { ServerClient } = await import('#client/server.ts')
      const client = new ServerClient(base)
      const { forEach } = await import('../each.ts')
      await forEach([...new Set(names)], json, async name => {
        if (undo) {
          await client.lockDisk(name)
          return {
            state: 'undone',
            line: `${name}: the permission to hand out the key of its disk is taken back`,
          }
        }
        const { until } = await client.unlockDisk(name)
        const line = `${name}: the server hands out the key of its disk until ${until.slice(0, 16)}Z`
        return { state: 'allowed', line: cleanText(line, Infinity) }
      })
    })
}

function defineRecoveryKey(command: Command): void {
  command
    .argument('<machine>', 'name of the machine')
    .addOption(serverOption())
    .option('--all', 'also those of disks that it had before')
    .option('--json', 'as JSON')
    .action(async (name: string, { server: base, json, all = false }: Flags & { all?: boolean }) => {
      const { ServerClient } = await import('#client/server.ts')
      const keys = await new ServerClient(base).recoveryKeys(name)
      const shown = all ? keys : wanted(keys)
      if (json === true) printJson(shown)
      else print(shown.map(keyLine).join('\n'))
    })
}

/** The key of the system that the machine runs; where none is known to be that, all of them. */
function wanted(keys: readonly RecoveryKeyView[]): readonly RecoveryKeyView[] {
  const present = keys.filter(({ isPresent }) => isPresent)
  return present.length === 0 ? keys : present
}

function keyLine({ key, uuid, holder, at }: RecoveryKeyView): string {
  const how = holder === 'tpm' ? 'its TPM opens it' : 'the server opens it'
  return cleanText(`${key}  LUKS ${uuid}, of ${at.slice(0, 16)}Z; ${how}`, Infinity)
}
