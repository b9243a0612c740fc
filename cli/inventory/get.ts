// `pilotlight get`: the server's lists as a table for people, or whole for programs.

import { Argument, InvalidArgumentError, Option, type Command } from 'commander'
import { Failure } from '#model/error.ts'
import { nearest } from '#model/nearest.ts'
import type { ReopeningView } from '#model/machine-key.ts'
import type { InventoryClient } from '#client/inventory.ts'
import { isRecord } from '#model/record.ts'
import type { OrderView } from '#model/install.ts'
import { openLine } from '../server/machines.ts'
import { orderLine } from '../server/orders.ts'
import { serverOption } from '../options.ts'
import { jsonText, show, versioned, yamlText } from '../terminal/show.ts'
import { cellOf, tableOf, withSelectorText, type Columns } from '../terminal/table.ts'

type Row = Readonly<Record<string, unknown>>
type Flags = { readonly server: string; readonly output: Output; readonly json?: boolean }

const OUTPUTS = ['table', 'name', 'json', 'yaml', 'jsonl'] as const
type Output = (typeof OUTPUTS)[number]

/** The columns of each list; a cell is the value at that key. */
const COLUMNS = {
  machines: ['id', 'role', 'phase', 'address', 'macs', 'uuid', 'installed'],
  groups: ['id', 'profile', 'selector', 'source', 'name'],
  profiles: ['id', 'ignition_id', 'source', 'name'],
  templates: ['id', 'bytes', 'source', 'modified', 'who'],
  problems: ['file', 'line', 'column', 'severity', 'code', 'reason'],
  orders: ['machine', 'verb', 'until', 'who', 'boot', 'target', 'state', 'why'],
  alarms: ['id', 'severity', 'state', 'since', 'count', 'reason', 'repair'],
  leases: ['address', 'mac', 'state', 'expiresAt', 'uuid'],
  assets: ['name', 'size', 'modified', 'sha256'],
  tokens: ['name', 'role', 'created', 'expires'],
  audit: ['id', 'at', 'who', 'from', 'action', 'entity', 'outcome', 'code', 'summary'],
} as const satisfies Record<string, Columns>

/** The lists of what is only read: where each is, and whether there is a route for one of its items. */
const READ_ONLY = {
  machines: { path: '/machines', hasOne: true },
  problems: { path: '/v1/problems', hasOne: false },
  orders: { path: '/v1/orders', hasOne: false },
  alarms: { path: '/v1/alarms', hasOne: true },
  leases: { path: '/v1/leases', hasOne: false },
  assets: { path: '/v1/assets', hasOne: false },
  tokens: { path: '/v1/tokens', hasOne: false },
  audit: { path: '/v1/audit', hasOne: false },
} as const satisfies Partial<Record<keyof typeof COLUMNS, object>>

type List = keyof typeof COLUMNS
const LISTS = Object.keys(COLUMNS) as readonly List[] // its own keys, none other

export function defineGet(command: Command): void {
  command
    .addArgument(
      new Argument('<kind>', LISTS.join(', ')).choices(LISTS).argParser(text => {
        const list = LISTS.find(one => one === text || one === `${text}s`)
        if (list !== undefined) return list
        const meant = nearest(text, LISTS)
        throw new InvalidArgumentError(
          meant === undefined ? `there are ${LISTS.join(', ')}` : `did you mean ${meant}?`,
        )
      }),
    )
    .argument('[id]', 'one of them')
    .addOption(new Option('-o, --output <form>', 'how').choices(OUTPUTS).default('table'))
    .option('--json', 'the same as -o json')
    .addOption(serverOption())
    .addHelpText(
      'after',
      `
What -o yaml gives of groups, profiles and templates, apply takes.

Examples:
  pilotlight get machines
  pilotlight get alarms
  pilotlight get groups -o yaml > groups.yaml
  pilotlight get template ignition/node.bu -o json`,
    )
    .action(async (list: List, id: string | undefined, flags: Flags) => {
      const output = flags.json === true ? 'json' : flags.output
      const rows = await rowsOf(list, id, flags.server, output === 'table' || output === 'name')
      show(await textOf(list, rows, output, id !== undefined))
    })
}

function isReadOnly(list: List): list is keyof typeof READ_ONLY {
  return Object.hasOwn(READ_ONLY, list)
}

/** What there is; `forTable` with what the server knows of an object beside its fields. */
async function rowsOf(
  list: List,
  id: string | undefined,
  server: string,
  forTable: boolean,
): Promise<readonly Row[]> {
  if (isReadOnly(list)) {
    const { ServerClient } = await import('#client/server.ts')
    const { path, hasOne } = READ_ONLY[list]
    const client = new ServerClient(server)
    if (id !== undefined && hasOne) return [(await client.get(`${path}/${encodeURIComponent(id)}`)) as Row]
    const rows = (await client.list(path)) as Row[]
    if (id === undefined) return rows
    const [key] = COLUMNS[list]
    const one = rows.filter(row => String(row[key]) === id)
    if (one.length > 0) return one
    throw new Failure('NOT_FOUND', `there is no ${key} "${id}" among the ${list}`, `pilotlight get ${list}`)
  }
  const { InventoryClient: Client } = await import('#client/inventory.ts')
  const client = new Client(server)
  const kind = list.slice(0, -1) as 'group' | 'profile' | 'template' // a list is its kind's plural
  if (id === undefined) return collect(client, kind, forTable)
  const { object, source } = await client.entry(kind, id)
  const { content } = object
  const bytes = typeof content === 'string' ? { bytes: Buffer.byteLength(content) } : {}
  return [{ kind, ...object, ...(forTable ? { source, ...bytes } : {}) }]
}

async function collect(
  client: InventoryClient,
  kind: 'group' | 'profile' | 'template',
  forTable: boolean,
): Promise<Row[]> {
  const rows: Row[] = []
  for await (const { object, ...meta } of client.list(kind)) {
    // The name that an object is known by counts, whatever a file says inside.
    if (forTable) rows.push({ kind, ...meta, ...object, source: meta.site ?? meta.source, id: meta.id })
    else rows.push({ kind, ...(object ?? (await client.object(kind, meta.id))), id: meta.id }) // a template's text
  }
  return rows
}

async function textOf(list: List, rows: readonly Row[], output: Output, isOne: boolean): Promise<string> {
  if (output === 'name') return rows.map(row => `${cellOf(row[COLUMNS[list][0]])}\n`).join('')
  if (output === 'jsonl') return rows.map(row => `${jsonText(versioned(row))}\n`).join('')
  if (output === 'json') return `${jsonText(versioned(isOne ? (rows[0] ?? {}) : rows), 2)}\n`
  if (output === 'yaml') return (await Promise.all(rows.map(yamlText))).join('---\n')
  if (rows.length === 0) return emptyText(list)
  const table = tableOf(COLUMNS[list], rows.map(ROW_OF[list] ?? (row => row)))
  return `${[table, ...rows.flatMap(openLines)].join('\n')}\n`
}

/** What of a list is shown in a table otherwise than it is. */
const ROW_OF: Readonly<Partial<Record<List, (row: Row) => Row>>> = {
  groups: withSelectorText,
  machines: ({ installed, ...row }) => ({ ...row, installed: installedText(installed) }),
}

/** Where a machine is installed, in few words: `8f3c0d2a91b4 on nvme0n1 (S4EVNX0R)`. */
function installedText(installed: unknown): string | undefined {
  if (!isRecord(installed)) return undefined
  const { disk, serial, version } = installed
  const which = typeof serial === 'string' && serial !== '' ? ` (${serial})` : ''
  return `${String(version)} on ${String(disk)}${which}`
}

/** What an empty list says: that it is empty, and what fills it. */
function emptyText(list: List): string {
  return `no ${list}${EMPTY[list]}\n`
}

const EMPTY: Readonly<Record<List, string>> = {
  machines: ' yet: they come with a site file (pilotlight up SITE), or when one asks DHCP',
  groups: ' yet: a site file brings its own (pilotlight up SITE), and pilotlight apply puts more',
  profiles: ': the server has a data directory without any; pilotlight import DIR brings some',
  templates: ': the server has a data directory without any; pilotlight import DIR brings some',
  problems: ': every file of the data directory can be used, and lint finds nothing',
  orders: ': pilotlight reinstall, wipe and upgrade os make them',
  alarms: '',
  leases: ' yet: no machine has asked DHCP',
  assets: ' yet: pilotlight assets add FILE puts one',
  tokens: ': pilotlight tokens create NAME makes one',
  audit: ' entries yet: no one has changed anything',
}

/** A line below the table for a machine whose next boot an operator opened, or ordered something for. */
function openLines({ id, reopened, order }: Row): string[] {
  const open = reopened as Pick<ReopeningView, 'who' | 'until'> | undefined // as GET /machines has it
  const ordered = order as OrderView | undefined // the same
  return [
    ...(open === undefined ? [] : [cellOf(openLine({ machine: String(id), ...open }))]),
    ...(ordered === undefined ? [] : [orderLine(ordered)]),
  ]
}
