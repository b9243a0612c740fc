// `pilotlight journal`: the events of one boot of a machine.

import type { Command } from 'commander'
import { serverOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'

export function defineJournal(command: Command): void {
  command
    .argument('<machine>', 'its name, MAC, UUID, serial or address')
    .addOption(serverOption())
    .option('--boot <id>', 'an earlier boot')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight journal cmp-1\n  pilotlight journal cmp-1 --boot b-0007 --json',
    )
    .action(async (machine: string, options: { server: string; boot?: string; json?: boolean }) => {
      const { ServerClient } = await import('#client/server.ts')
      const accept = options.json ? 'application/json' : 'text/plain'
      const text = (await new ServerClient(options.server).journal(machine, accept, options.boot)).trimEnd()
      if (options.json) printJson(JSON.parse(text) as object)
      else print(text)
    })
}
