// `pilotlight alarms`: what an operator says of alarms. `pilotlight get alarms` lists them.

import type { Command } from 'commander'
import { serverOption } from '../options.ts'
import { addSubverbs } from '../subverbs.ts'

export function defineAlarms(command: Command): void {
  command.addHelpText(
    'after',
    `
'pilotlight help CODE' explains the alarms of a code, for example PL-7003.

Examples:
  pilotlight get alarms
  pilotlight alarms ack PL-7003:machine:ctl-1
  pilotlight alarms clear PL-7001:machine:ctl-1 PL-7005:machine:ctl-1`,
  )
  addSubverbs(command, [
    {
      name: 'ack',
      summary: 'acknowledges alarms: they stay in the list until they are over',
      define: decision('acknowledge'),
    },
    {
      name: 'clear',
      summary: 'says that alarms are over; one that is raised again begins anew',
      define: decision('clear'),
    },
  ])
}

function decision(verb: 'acknowledge' | 'clear') {
  return (command: Command): void => {
    command
      .argument('<id...>', 'as the list shows it')
      .addOption(serverOption())
      .option('--json', 'as JSON')
      .action(async (ids: readonly string[], flags: { readonly server: string; readonly json?: boolean }) => {
        const { ServerClient } = await import('#client/server.ts')
        const client = new ServerClient(flags.server)
        const { forEach } = await import('../each.ts')
        await forEach(ids, flags.json ?? false, async id => {
          const { state } = await client.decideAlarm(id, verb)
          return { state, line: `${id} is ${state}` }
        })
      })
  }
}
