// The sixteen calls of Matchbox's gRPC API, over the same inventory that REST writes.

import { posix } from 'node:path'
import { status } from '@grpc/grpc-js'
import type { Kind } from '#model/kinds.ts'
import type { Labels } from '#model/selector.ts'
import { bytesOf, textOf } from '#model/text.ts'
import type { CredentialRole } from '#model/role.ts'
import { auditing } from '../../access/audit.ts'
import type { Identity } from '../../access/roles.ts'
import type { Catalog } from '../../inventory/catalog.ts'
import type { Change } from '../../inventory/changes.ts'
import type { Inventory } from '../../inventory/inventory.ts'
import type { Log } from '../../log.ts'
import { asInMatchbox, CallFailed } from './failure.ts'
import {
  BadMetadata,
  groupOf,
  profileOf,
  wireGroup,
  wireProfile,
  type WireGroup,
  type WireProfile,
} from './wire.ts'

/** What the calls need of the service. */
export type CallNeeds = {
  readonly inventory: Pick<Inventory, 'get' | 'list' | 'write'>
  readonly catalog: Pick<Catalog, 'groups' | 'problems' | 'profileNamed'>
  /** The data directory, as Matchbox's error texts name it. */
  readonly dataPath: string
  readonly log: Log
}

/** Who makes a call, and the address that it comes from. */
export type Caller = Identity & { readonly from: string }

/** One call: who may make it, and what it answers. */
export type Call = {
  readonly role: CredentialRole
  /** The id or name that a request is about, for the log. */
  readonly about: (request: never) => string
  readonly answer: (request: never, by: Caller) => object | Promise<object>
}

type ById = { readonly id: string }
type ByName = { readonly name: string }
type WithConfig = ByName & { readonly config: Uint8Array }
type WithLabels = { readonly labels: Labels }

/** All calls, by service and method. */
export function matchboxCalls(needs: CallNeeds): Record<string, Record<string, Call>> {
  const files = new MatchboxFiles(needs)
  return {
    Groups: {
      GroupPut: writing<{ group: WireGroup | null }>(
        ({ group }) => group?.id ?? '',
        async ({ group }, by) => {
          if (group === null) throw missing('group')
          if (group.id === '') throw asInMatchbox('Id is required')
          if (group.profile === '') throw asInMatchbox('Group requires a Profile')
          await files.write({ action: 'put', kind: 'group', object: readGroup(group) }, by)
        },
      ),
      GroupGet: reading<ById>(idOf, ({ id }) => ({ group: wireGroup(files.known('group', id)) })),
      GroupDelete: writing<ById>(idOf, ({ id }, by) => files.remove('group', id, by)),
      GroupList: reading(nothing, () => ({
        groups: needs.inventory.list('group').map(({ object }) => wireGroup(object)),
      })),
    },
    Profiles: {
      ProfilePut: writing<{ profile: WireProfile | null }>(
        ({ profile }) => profile?.id ?? '',
        async ({ profile }, by) => {
          if (profile === null) throw missing('profile')
          if (profile.id === '') throw asInMatchbox('Id is required')
          await files.write({ action: 'put', kind: 'profile', object: profileOf(profile) }, by)
        },
      ),
      ProfileGet: reading<ById>(idOf, ({ id }) => ({ profile: wireProfile(files.known('profile', id)) })),
      ProfileDelete: writing<ById>(idOf, ({ id }, by) => files.remove('profile', id, by)),
      ProfileList: reading(nothing, () => ({
        profiles: needs.inventory.list('profile').map(({ object }) => wireProfile(object)),
      })),
    },
    Ignition: templateCalls(files, 'Ignition', 'ignition'),
    Generic: templateCalls(files, 'Generic', 'generic'),
    Select: selectCalls(needs),
  }
}

/** Put, get and delete of files in one folder. */
function templateCalls(files: MatchboxFiles, prefix: string, folder: string): Record<string, Call> {
  return {
    [`${prefix}Put`]: writing<WithConfig>(nameOf, ({ name, config }, by) => {
      const object = { id: `${folder}/${name}`, content: textOf(config) }
      return files.write({ action: 'put', kind: 'template', object }, by)
    }),
    [`${prefix}Get`]: reading<ByName>(nameOf, ({ name }) => ({
      config: bytesOf(files.known('template', `${folder}/${name}`).content),
    })),
    [`${prefix}Delete`]: writing<ByName>(nameOf, ({ name }, by) =>
      files.remove('template', `${folder}/${name}`, by),
    ),
  }
}

/** Which group and profile labels are matched to. */
function selectCalls({ catalog }: Pick<CallNeeds, 'catalog'>): Record<string, Call> {
  const selected = (labels: Labels) => {
    const group = catalog.groups.select(labels)
    if (group === undefined) throw new CallFailed(status.NOT_FOUND, 'matchbox: No matching Group')
    return group
  }
  return {
    SelectGroup: reading<WithLabels>(labelsOf, ({ labels }) => ({ group: wireGroup(selected(labels)) })),
    SelectProfile: reading<WithLabels>(labelsOf, ({ labels }) => {
      const profile = catalog.profileNamed(selected(labels).profile)
      if (profile === undefined) throw new CallFailed(status.NOT_FOUND, 'matchbox: No matching Profile')
      return { profile: wireProfile(profile) }
    }),
  }
}

/** The inventory as Matchbox has it: files, with its texts for those that are not there. */
class MatchboxFiles {
  readonly #needs: CallNeeds

  constructor(needs: CallNeeds) {
    this.#needs = needs
  }

  known<K extends Kind>(kind: K, id: string) {
    const entry = this.#needs.inventory.get(kind, id)
    if (entry === undefined) throw this.#absent('open', kind, id)
    return entry.object
  }

  async remove(kind: Kind, id: string, by: Caller): Promise<void> {
    if (this.#needs.inventory.get(kind, id) === undefined) throw this.#absent('remove', kind, id)
    await this.write({ action: 'delete', kind, id }, by)
  }

  /** Writes as Matchbox does: whatever a template holds is kept; what is wrong with it shows when it is served. */
  async write(change: Change, by: Caller): Promise<void> {
    const { inventory, log } = this.#needs
    const audit = auditing(by, by.from, `${change.kind}.${change.action}`)
    const outcomes = await inventory.write([change], { who: by.name, audit, lenient: true })
    for (const { kind, id, warnings } of outcomes) {
      for (const { detail } of warnings) log('warn', detail, { kind, id, who: by.name })
    }
  }

  /** What Matchbox says of a file that is not there, or that it cannot read. */
  #absent(action: 'open' | 'remove', kind: Kind, id: string): CallFailed {
    const { catalog, dataPath } = this.#needs
    const file = kind === 'template' ? id : `${kind}s/${id}.json`
    const problem = catalog.problems.find(it => it.file === file)
    if (problem !== undefined && action === 'open') return asInMatchbox(problem.reason)
    return asInMatchbox(`${action} ${posix.join(dataPath, posix.join('/', file))}: no such file or directory`)
  }
}

/** A call that changes nothing. */
function reading<Request>(about: (request: Request) => string, answer: (request: Request) => object): Call {
  return { role: 'read-only', about, answer }
}

/** A call that changes something, and answers with an empty message. */
function writing<Request>(
  about: (request: Request) => string,
  change: (request: Request, by: Caller) => Promise<void>,
): Call {
  return { role: 'admin', about, answer: (request: Request, by) => change(request, by).then(() => ({})) }
}

function readGroup(group: WireGroup) {
  try {
    return groupOf(group)
  } catch (error) {
    if (error instanceof BadMetadata) throw asInMatchbox(error.message)
    throw error
  }
}

/** Matchbox's process ends here, with all its clients. */
function missing(field: string): CallFailed {
  return new CallFailed(status.INVALID_ARGUMENT, `The request has no ${field}: send one.`)
}

function idOf({ id }: ById): string {
  return id
}

function nameOf({ name }: ByName): string {
  return name
}

function labelsOf({ labels }: WithLabels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')
}

function nothing(): string {
  return ''
}
