// `pilotlight history`: who wrote an object, when and what, and the way back.

import { InvalidArgumentError, type Command } from 'commander'
import type { ObjectRevision } from '#client/inventory.ts'
import type { Kind } from '#model/kinds.ts'
import { unifiedDiff } from '#server/inventory/diff.ts'
import { printOne } from './apply.ts'
import { kindArgument } from './kinds.ts'
import { serverOption } from '../options.ts'
import { printJson, show } from '../terminal/show.ts'
import { tableOf } from '../terminal/table.ts'

type Flags = {
  readonly server: string
  readonly json?: boolean
  readonly diff?: boolean
  readonly revert?: number
}

export function defineHistory(command: Command): void {
  command
    .addArgument(kindArgument())
    .argument('<id>', 'which')
    .option('--diff', 'with what each write changed')
    .option('--revert <revision>', 'make it again what it was then', revisionOf)
    .option('--json', 'as JSON')
    .addOption(serverOption())
    .addHelpText(
      'after',
      `
Examples:
  pilotlight history profile compute --diff
  pilotlight history profile compute --revert 41`,
    )
    .action(async (kind: Kind, id: string, { server, json = false, diff, revert }: Flags) => {
      const { InventoryClient } = await import('#client/inventory.ts')
      const client = new InventoryClient(server)
      if (revert !== undefined) return printOne(await client.revert(kind, id, revert), json)
      const history = await client.history(kind, id)
      if (json) printJson(history)
      else if (history.length === 0)
        show(`no one wrote ${kind} "${id}" through the server: it is a file of the data directory\n`)
      else if (diff) show(withDiffs(id, history))
      else show(`${tableOf(['revision', 'at', 'who', 'action'], history)}\n`)
    })
}

function revisionOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new InvalidArgumentError('it is a number, as the list shows')
}

/** Each revision with what it changed, newest first. */
function withDiffs(id: string, history: readonly ObjectRevision[]): string {
  return history
    .map(({ revision, at, who, action, object }, index) => {
      const before = history[index + 1]
      return `${revision}  ${at}  ${who}  ${action}\n${unifiedDiff(id, textOf(before?.object), textOf(object))}`
    })
    .join('\n')
}

/** A template as its text, anything else as JSON. */
function textOf(object: ObjectRevision['object']): string | undefined {
  if (object === undefined) return undefined
  return typeof object.content === 'string' ? object.content : `${JSON.stringify(object, undefined, 2)}\n`
}
