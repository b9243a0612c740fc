// `pilotlight describe`: one object with all that is known of it, and what it is tied to.

import type { Command } from 'commander'
import type { Kind } from '#server/inventory/changes.ts'
import type { InventoryClient, ToldRevision } from './inventory-client.ts'
import { kindArgument } from './kinds.ts'
import { serverOption } from './options.ts'
import { cellOf, tableOf } from './table.ts'

/** Adds the verb. */
export function addDescribeCommand(program: Command): void {
  program
    .command('describe')
    .description('tells all of one object: its fields, what it is tied to, who wrote it')
    .addArgument(kindArgument())
    .argument('<id>', 'which')
    .addOption(serverOption())
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight describe machine cmp-7\n  pilotlight describe profile compute',
    )
    .action(async (kind: Kind, id: string, { server }: { readonly server: string }) => {
      const { InventoryClient: Client } = await import('./inventory-client.ts')
      const text = kind === 'machine' ? machineText(id, server) : objectText(new Client(server), kind, id)
      process.stdout.write(`${(await text).join('\n')}\n`)
    })
}

/** A machine as it is now, and its last boot. */
async function machineText(id: string, server: string): Promise<string[]> {
  const { ServerClient } = await import('./server-client.ts')
  const client = new ServerClient(server)
  const machine = (await client.get(`/machines/${encodeURIComponent(id)}`)) as Readonly<
    Record<string, unknown>
  >
  if (machine.boot === undefined) return [...fieldLines(machine), '', 'it has not booted yet']
  const name = typeof machine.id === 'string' ? machine.id : id
  return [...fieldLines(machine), '', (await client.journal(name, 'text/plain')).trimEnd()]
}

async function objectText(client: InventoryClient, kind: Kind, id: string): Promise<string[]> {
  const object = await client.object(kind, id)
  const { content, ...fields } = object
  const ties = await tiesOf(client, kind, id, object)
  return [
    ...fieldLines(fields),
    ...(typeof content === 'string' ? ['', content.trimEnd()] : []),
    ...(ties.length === 0 ? [] : ['', ...ties]),
    '',
    ...historyLines(await client.history(kind, id)),
  ]
}

/** What a group leads to, and who uses a profile or a template. */
async function tiesOf(
  client: InventoryClient,
  kind: Kind,
  id: string,
  object: Readonly<Record<string, unknown>>,
): Promise<string[]> {
  if (kind === 'group') return [`profile ${cellOf(object.profile)} is what its machines boot`]
  const users: string[] = []
  if (kind === 'profile') {
    for await (const group of client.list('group')) if (group.object?.profile === id) users.push(group.id)
    return [usersLine('group', users)]
  }
  const [folder = '', ...rest] = id.split('/')
  for await (const profile of client.list('profile')) {
    if (profile.object?.[`${folder}_id`] === rest.join('/')) users.push(profile.id)
  }
  return [usersLine('profile', users)]
}

const SHOWN_USERS = 10

function usersLine(what: string, users: readonly string[]): string {
  if (users.length === 0) return `no ${what} uses it`
  const more = users.length > SHOWN_USERS ? `, and ${users.length - SHOWN_USERS} more` : ''
  return `used by ${users.length} ${what}${users.length === 1 ? '' : 's'}: ${users.slice(0, SHOWN_USERS).join(' ')}${more}`
}

/** The newest writes. */
function historyLines(history: readonly ToldRevision[]): string[] {
  if (history.length === 0) return ['a file of the data directory; nobody has written it through the server']
  return [tableOf(['revision', 'at', 'who', 'action'], history.slice(0, 5))]
}

/** A line a value, `boot.kernel` for what is inside; each item of a list on its own. */
function fieldLines(fields: Readonly<Record<string, unknown>>): string[] {
  const entries = flat(fields)
  const width = entries.reduce((most, [key]) => Math.max(most, key.length), 0)
  return entries.flatMap(([key, value]) => {
    if (!Array.isArray(value) || value.length < 2) return [`${key.padEnd(width)}  ${cellOf(value)}`]
    return value.map((item, at) => `${(at === 0 ? key : '').padEnd(width)}  ${cellOf(item)}`)
  })
}

function flat(fields: object, above = ''): [string, unknown][] {
  return Object.entries(fields).flatMap(([key, value]: [string, unknown]): [string, unknown][] => {
    const isFolder = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isFolder && Object.keys(value).length > 0 ? flat(value, `${above}${key}.`) : [[above + key, value]]
  })
}
