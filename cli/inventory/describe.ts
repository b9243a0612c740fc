// `pilotlight describe`: one object with all that is known of it, and what it is tied to.

import type { Command } from 'commander'
import { KINDS, type Kind } from '#model/kinds.ts'
import { cleanText } from '#model/clean.ts'
import type { InventoryClient, ObjectRevision } from '#client/inventory.ts'
import { isRecord } from '#model/record.ts'
import { kindNamed } from './kinds.ts'
import { serverOption } from '../options.ts'
import { printJson, show } from '../terminal/show.ts'
import { cellOf, tableOf, withSelectorText } from '../terminal/table.ts'

type Flags = { readonly server: string; readonly json?: boolean }

type Fields = Readonly<Record<string, unknown>>

/** All that is shown of one object. */
type Description = {
  readonly kind: Kind
  readonly object: Fields
  /** The groups of a profile, the profiles of a template. */
  readonly usedBy?: readonly string[]
  /** Newest first; `history` shows what was written. */
  readonly history?: readonly Omit<ObjectRevision, 'object'>[]
  /** The last boot of a machine: a text for people, events for programs. */
  readonly journal?: unknown
}

export function defineDescribe(command: Command): void {
  command
    .argument('<kind|id>', `${KINDS.join(', ')}; or an id alone, where one object has it`)
    .argument('[id]', 'which')
    .option('--json', 'as JSON')
    .addOption(serverOption())
    .addHelpText(
      'after',
      `
Examples:
  pilotlight describe cmp-7
  pilotlight describe machine cmp-7
  pilotlight describe profile compute
  pilotlight describe profile compute --json | jq -r '.usedBy[]'`,
    )
    .action(async (first: string, second: string | undefined, flags: Flags) => {
      const { server, json = false } = flags
      const { kindOfId } = await import('./find-object.ts')
      const [kind, id] =
        second === undefined
          ? [await kindOfId(server, first), first]
          : [kindNamed(first, 'pilotlight describe'), second]
      const shown = await (kind === 'machine' ? machine(id, server, json) : object(kind, id, server))
      if (json) printJson(shown)
      else show(`${linesOf(shown).join('\n')}\n`)
    })
}

/** A machine as it is now, and its last boot. */
async function machine(id: string, server: string, json: boolean): Promise<Description> {
  const { ServerClient } = await import('#client/server.ts')
  const client = new ServerClient(server)
  const found = (await client.get(`/machines/${encodeURIComponent(id)}`)) as Fields
  if (found.boot === undefined) return { kind: 'machine', object: found }
  const name = typeof found.id === 'string' ? found.id : id
  const journal = await client.journal(name, json ? 'application/json' : 'text/plain')
  return {
    kind: 'machine',
    object: found,
    journal: json ? (JSON.parse(journal) as unknown) : journal.trimEnd(),
  }
}

async function object(kind: Kind, id: string, server: string): Promise<Description> {
  const { InventoryClient: Client } = await import('#client/inventory.ts')
  const client = new Client(server)
  const found = await client.object(kind, id)
  const users = await usersOf(client, kind, id)
  const history = (await client.history(kind, id)).map(({ revision, at, who, action }) => ({
    revision,
    at,
    who,
    action,
  }))
  return { kind, object: found, ...(users && { usedBy: users }), history }
}

/** Who names a profile or a template. */
async function usersOf(client: InventoryClient, kind: Kind, id: string): Promise<string[] | undefined> {
  const users: string[] = []
  if (kind === 'profile') {
    for await (const group of client.list('group')) if (group.object?.profile === id) users.push(group.id)
    return users
  }
  if (kind !== 'template') return undefined
  const [folder = '', ...rest] = id.split('/')
  for await (const profile of client.list('profile')) {
    if (profile.object?.[`${folder}_id`] === rest.join('/')) users.push(profile.id)
  }
  return users
}

function linesOf({ kind, object: { content, ...fields }, usedBy, history, journal }: Description): string[] {
  return [
    ...fieldLines(kind === 'group' ? withSelectorText(fields) : fields),
    ...(typeof content === 'string' ? ['', content.trimEnd()] : []),
    ...(kind === 'group' ? ['', `profile ${cellOf(fields.profile)} is what its machines boot`] : []),
    ...(usedBy === undefined ? [] : ['', usersLine(kind === 'profile' ? 'group' : 'profile', usedBy)]),
    ...(kind === 'machine' ? ['', typeof journal === 'string' ? journal : 'it has not booted yet'] : []),
    ...(history === undefined ? [] : ['', ...historyLines(history)]),
  ]
}

const SHOWN_USERS = 10

function usersLine(what: string, users: readonly string[]): string {
  if (users.length === 0) return `no ${what} uses it`
  const more = users.length > SHOWN_USERS ? `, and ${users.length - SHOWN_USERS} more` : ''
  return `used by ${users.length} ${what}${users.length === 1 ? '' : 's'}: ${users.slice(0, SHOWN_USERS).join(' ')}${more}`
}

/** The newest writes. */
function historyLines(history: NonNullable<Description['history']>): string[] {
  if (history.length === 0) return ['a file of the data directory; it was never written through the server']
  return [tableOf(['revision', 'at', 'who', 'action'], history.slice(0, 5))]
}

/** A line a value, `boot.kernel` for what is inside; each item of a list on its own. */
function fieldLines(fields: Fields): string[] {
  const entries = flat(fields)
  const width = entries.reduce((most, [key]) => Math.max(most, key.length), 0)
  return entries.flatMap(([key, value]) => {
    if (!Array.isArray(value) || value.length < 2) return [`${key.padEnd(width)}  ${cellOf(value)}`]
    return value.map((item, at) => `${(at === 0 ? key : '').padEnd(width)}  ${cellOf(item)}`)
  })
}

function flat(fields: object, above = ''): [string, unknown][] {
  return Object.entries(fields).flatMap(([key, value]: [string, unknown]): [string, unknown][] => {
    return isRecord(value) && Object.keys(value).length > 0
      ? flat(value, `${above}${key}.`)
      : [[cleanText(above + key, Infinity), value]]
  })
}
