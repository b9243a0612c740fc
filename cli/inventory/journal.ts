// `pilotlight journal`: the events of one boot of a machine.

import { Option, type Command } from 'commander'
import { serverOption } from '../options.ts'
import type { Boot } from '#model/boot.ts'
import { print, printJson } from '../terminal/show.ts'
import { tableOf } from '../terminal/table.ts'

type JournalFlags = {
  readonly server: string
  readonly boot?: string
  readonly boots?: boolean
  readonly json?: boolean
}

export function defineJournal(command: Command): void {
  command
    .argument('<machine>', 'its name, MAC, UUID, serial or address')
    .addOption(serverOption())
    .option('--boot <id>', 'an earlier boot')
    .addOption(new Option('--boots', 'list its boots, newest first').conflicts('boot'))
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight journal cmp-1\n  pilotlight journal cmp-1 --boots\n  pilotlight journal cmp-1 --boot b-0007 --json',
    )
    .action(async (machine: string, options: JournalFlags) => {
      const { ServerClient } = await import('#client/server.ts')
      const client = new ServerClient(options.server)
      if (options.boots) return showBoots(machine, await client.boots(machine), options.json ?? false)
      const accept = options.json ? 'application/json' : 'text/plain'
      const text = (await client.journal(machine, accept, options.boot)).trimEnd()
      if (options.json) printJson(JSON.parse(text) as object)
      else print(text)
    })
}

function showBoots(machine: string, boots: readonly Boot[], json: boolean): void {
  if (json) return printJson(boots)
  const rows = boots.map(({ id, began, mac }) => ({ boot: id, began: new Date(began).toISOString(), mac }))
  print(rows.length === 0 ? `${machine} has not booted yet` : tableOf(['boot', 'began', 'mac'], rows))
}
