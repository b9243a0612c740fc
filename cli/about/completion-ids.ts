// What a shell offers in the place of an id: asked of the server, of the labs that are up, of a site file, or of the page of codes.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KINDS } from '#model/kinds.ts'
import { DEFAULT_SERVER_URL } from '#model/endpoint.ts'
import type { ChartPlan } from '#rack/charts/plan/plan.ts'
import { DEFAULT_STATE } from '../options.ts'
import { ROOT } from '../root.ts'

/** What was typed before the word that is completed. */
export type Typed = {
  /** The verbs, such as `machines approve`. */
  readonly verb: string
  /** Arguments without flags. */
  readonly given: readonly string[]
  /** Values of flags, by their long name. */
  readonly flags: Readonly<Record<string, string>>
}

/** Gives the words for the argument that comes next. */
type Source = (typed: Typed) => Promise<readonly string[]>

/** Seconds that a shell waits for a server's answer while the user types. */
const PATIENCE_SECONDS = 0.7

const machines: Source = typed => listed(typed, 'machines')
const secondOfKind: Source = typed => listed(typed, typed.given[0] ?? '')

/** For each verb the sources of its arguments in their order; the last one is for all that follow. */
const ARGUMENTS: Readonly<Record<string, readonly (Source | undefined)[]>> = {
  get: [undefined, secondOfKind],
  describe: [kindsAndIds, secondOfKind],
  delete: [undefined, secondOfKind],
  edit: [undefined, secondOfKind],
  history: [undefined, secondOfKind],
  journal: [machines],
  explain: [machines],
  'machines approve': [machines],
  'machines reject': [machines],
  'machines reopen': [machines],
  'tokens revoke': [typed => listed(typed, 'tokens')],
  'alarms ack': [typed => listed(typed, 'alarms')],
  'alarms clear': [typed => listed(typed, 'alarms')],
  'assets remove': [typed => listed(typed, 'assets')],
  'lab power': [async () => ['on', 'off', 'cycle', 'reset'], labMachines],
  'lab console': [labMachines],
  'lab exec': [async typed => [...(await quietly(labMachines, typed)), 'rack'], none],
  'charts rotate': [undefined, secrets],
  'charts diff': [undefined, releases],
  'charts apply': [undefined, releases],
  'charts status': [undefined],
  'charts history': [undefined, releases],
  'charts rollback': [undefined, releases, none],
  'charts uninstall': [undefined, releases],
  help: [topics, topics],
}

/** The same for values of flags. */
const FLAGS: Readonly<Record<string, Source>> = {
  'explain --mac': macs,
  'explain --uuid': async ({ flags }) => (await machineRows(flags)).flatMap(({ uuid }) => uuid ?? []),
  'explain --serial': async ({ flags }) =>
    (await machineRows(flags)).flatMap(({ labels }) => labels?.serial ?? []),
  'explain --label': labels,
  'journal --boot': boots,
  'history --revert': revisions,
  'charts plan --values': releases,
  'images build --kubernetes': kubernetes,
  'sbom --kubernetes': kubernetes,
  'serve --log-level': async () => Object.keys((await import('#server/log.ts')).LOG_LEVELS),
  'serve --log-format': async () => ['json', 'text'],
  'serve --certificate-role': async () => ['admin', 'read-only', 'none'],
  '--lab': async () => (await import('#lab/lab.ts')).labNames(),
}

/** The words for the next argument; undefined where there is no list of them. */
export async function argumentWords(typed: Typed): Promise<readonly string[] | undefined> {
  const sources = ARGUMENTS[typed.verb]
  const source = sources?.[Math.min(typed.given.length, sources.length - 1)]
  return source === undefined ? undefined : quietly(source, typed)
}

/** The words for the value of a flag. */
export async function flagWords(flag: string, typed: Typed): Promise<readonly string[]> {
  const source = FLAGS[`${typed.verb} ${flag}`] ?? FLAGS[flag]
  return source === undefined ? [] : quietly(source, typed)
}

/** A server that is silent, or a file that is not there, gives no words: nothing is said while a user types. */
async function quietly(source: Source, typed: Typed): Promise<readonly string[]> {
  try {
    return (await source(typed)).filter(word => /^[^\s\p{C}]+$/u.test(word))
  } catch {
    return []
  }
}

async function kindsAndIds(typed: Typed): Promise<readonly string[]> {
  return [...KINDS, ...(await quietly(machines, typed))]
}

/** The ids of a list of the server: `machines` or `machine`, `tokens`, … */
async function listed({ flags }: Typed, kind: string): Promise<string[]> {
  const list = kind.endsWith('s') ? kind : `${kind}s`
  const path =
    list === 'machines' ? '/machines?limit=1000' : `/v1/${list}${list === 'tokens' ? '' : '?limit=1000'}`
  const rows = await rowsAt(flags, path)
  return rows.flatMap(
    ({ id, name, address, file }) => [id, name, address, file].find(one => one !== undefined) ?? [],
  )
}

type Row = {
  id?: string
  name?: string
  address?: string
  file?: string
  macs?: string[]
  uuid?: string
  labels?: Record<string, string>
  revision?: number
}

async function rowsAt(flags: Typed['flags'], path: string): Promise<Row[]> {
  const { ServerClient } = await import('#client/server.ts')
  const server = flags['--server'] ?? process.env.PILOTLIGHT_SERVER ?? DEFAULT_SERVER_URL
  const answer = await new ServerClient(server).request('GET', path, {}, undefined, PATIENCE_SECONDS)
  const found = (await answer.json()) as Row[] | { items: Row[] }
  return Array.isArray(found) ? found : found.items
}

function machineRows(flags: Typed['flags']): Promise<Row[]> {
  return rowsAt(flags, '/machines?limit=1000')
}

async function macs({ flags }: Typed): Promise<string[]> {
  return (await machineRows(flags)).flatMap(row => row.macs ?? [])
}

/** The labels of the machines, as the flag takes them. */
async function labels({ flags }: Typed): Promise<string[]> {
  const pairs = (await machineRows(flags)).flatMap(row => Object.entries(row.labels ?? {}))
  return [...new Set(pairs.map(([key, value]) => `${key}=${value}`))]
}

async function revisions({ flags, given: [kind = '', id = ''] }: Typed): Promise<string[]> {
  const rows = await rowsAt(flags, `/v1/${kind}s/${encodeURIComponent(id)}/history`)
  return rows.flatMap(({ revision }) => (revision === undefined ? [] : String(revision)))
}

async function kubernetes(): Promise<string[]> {
  const version = (await import('#images/locked-kubernetes.ts')).lockedKubernetes()
  return version === undefined ? [] : [version]
}

/** The secrets of a site's plan that can have a new text. */
async function secrets(typed: Typed): Promise<string[]> {
  const { isRotatable } = await import('#rack/charts/secrets/rotation.ts')
  const plan = await planAt(typed)
  return plan.secrets.filter(isRotatable).map(({ name }) => name)
}

async function boots({ flags, given: [machine = ''] }: Typed): Promise<string[]> {
  const rows = await rowsAt(flags, `/v1/machines/${encodeURIComponent(machine)}/boots`)
  return rows.flatMap(({ id }) => id ?? [])
}

async function labMachines({ flags }: Typed): Promise<string[]> {
  const { findLab, labNames } = await import('#lab/lab.ts')
  const up = labNames().filter(name => flags['--lab'] === undefined || flags['--lab'] === name)
  return up.flatMap(name => findLab(name)?.rack.machines.map(machine => machine.name) ?? [])
}

/** The releases that a site's charts make. */
async function releases(typed: Typed): Promise<string[]> {
  const plan = await planAt(typed)
  return plan.releases.map(({ name }) => name)
}

/** The plan of the site file that was typed, with its state directory. */
async function planAt({ given: [site = ''], flags }: Typed): Promise<ChartPlan> {
  const { planOf } = await import('../charts/site-flags.ts')
  const { plan } = await planOf(site, { state: flags['--state'] ?? DEFAULT_STATE })
  return plan
}

async function none(): Promise<string[]> {
  return []
}

/** What has a page beside the commands. */
async function topics({ given: [verb] }: Typed): Promise<readonly string[]> {
  if (verb !== undefined) return [] // its subcommands are known without a list
  const page = await readFile(join(ROOT, 'docs', 'errors.md'), 'utf8')
  const codes = [...page.matchAll(/^(?:##? (PL-\d+|[A-Z]+(?:_[A-Z]+)*) |\| `(\w+)` \|)/gm)].map(
    ([, heading, row]) => heading ?? row ?? '',
  )
  return ['exit-codes', ...codes]
}
