// What decides now: the objects of the store over the files of the data directory, indexed for lookup, and
// changed one object at a time.

import type { Group } from '#model/group.ts'
import { KINDS, type Kind, type Objects } from '#model/kinds.ts'
import type { Machine } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import { compareBytes } from '#model/order.ts'
import type { Profile } from '#model/profile.ts'
import type { Labels } from '#model/selector.ts'
import { NoMatchingGroup, UnknownProfile } from './errors.ts'
import { MachineIndex, type Identifiers, type IdentifierTrust } from '../machines/identity.ts'
import { GroupIndex, type Known } from '../boot/match/groups.ts'
import type { Entry } from './changes.ts'
import { profileNamed } from './file-names.ts'
import type { FileObject, Problem } from './data-directory.ts'
import type { StoredObject } from '../store/objects.ts'

/** One id in both layers; the store's hides the file's. */
type Layers = { readonly stored?: StoredObject; readonly file?: FileObject }

/** What the server knows. */
export class Catalog {
  readonly groups = new GroupIndex()
  /** The declared machines by what they are known by. */
  readonly identities = new MachineIndex()
  /** Files of the data directory that cannot be used. */
  problems: readonly Problem[] = []
  /** The provisioning networks of the sites. */
  networks: readonly ProvisioningNetwork[] = []
  readonly #layers = new Map<Kind, Map<string, Layers>>(KINDS.map(kind => [kind, new Map()]))
  /** Sorted lists, made on demand, until an object of the kind changes. */
  readonly #lists = new Map<Kind, readonly Entry[]>()
  #machines: readonly Machine[] | undefined
  readonly #profiles = new Map<string, Profile>()

  /** Takes what the store has under an id; undefined when it has nothing any more. */
  setStored(kind: Kind, id: string, stored: StoredObject | undefined): void {
    const { file } = this.#layersOf(kind, id)
    this.#set(kind, id, { ...(stored && { stored }), ...(file && { file }) })
  }

  /** Takes what the data directory has under an id; undefined when the file is gone. */
  setFile(kind: Kind, id: string, file: FileObject | undefined): void {
    const { stored } = this.#layersOf(kind, id)
    this.#set(kind, id, { ...(stored && { stored }), ...(file && { file }) })
  }

  /** What the store has under an id, of an object or of what hides a file. */
  stored(kind: Kind, id: string): StoredObject | undefined {
    return this.#layersOf(kind, id).stored
  }

  /** The object in effect under an id. */
  entry<K extends Kind>(kind: K, id: string): Entry<K> | undefined {
    return entryOf(kind, id, this.#layersOf(kind, id))
  }

  /** The revision under an id in the store, of an object or of what hides a file; 0 when there is neither. */
  revision(kind: Kind, id: string): number {
    return this.#layersOf(kind, id).stored?.revision ?? 0
  }

  /** The file under an id, whether it is hidden or not. */
  file(kind: Kind, id: string): FileObject | undefined {
    return this.#layersOf(kind, id).file
  }

  /** All objects in effect, in the byte order of their file names. */
  entries<K extends Kind>(kind: K): readonly Entry<K>[] {
    const known = this.#lists.get(kind)
    if (known !== undefined) return known as readonly Entry<K>[] // kept under its kind
    const list = [...this.#layersFor(kind)].flatMap(([id, layers]) => entryOf(kind, id, layers) ?? [])
    list.sort((a, b) => compareBytes(`${a.id}.json`, `${b.id}.json`))
    this.#lists.set(kind, list)
    return list
  }

  /** The declared machines, site by site in the order of their files. The same list until a machine changes. */
  get machines(): readonly Machine[] {
    if (this.#machines !== undefined) return this.#machines
    const all = [...this.#layersFor('machine')].map(([id, layers]) => {
      const { site = '', position = 0 } = layers.stored ?? {}
      return { id, site, position, machine: effective(layers) as Machine | undefined } // of that kind
    })
    all.sort((a, b) => compareBytes(a.site, b.site) || a.position - b.position || compareBytes(a.id, b.id))
    this.#machines = all.flatMap(({ machine }) => machine ?? [])
    return this.#machines
  }

  /** All profiles, by the name that groups use. */
  get profiles(): ReadonlyMap<string, Profile> {
    return this.#profiles
  }

  /**
   * The group that takes a machine with these labels.
   *
   * @throws {NoMatchingGroup} 404
   */
  group(labels: Labels, known: Known = {}): Group {
    const group = this.groups.select(labels, known)
    if (group === undefined) throw new NoMatchingGroup(labels, this.groups.size)
    return group
  }

  /** The profile that a group names by this id, which may be written as a path. */
  profileNamed(id: string): Profile | undefined {
    return this.#profiles.get(id) ?? this.#profiles.get(profileNamed(id))
  }

  /**
   * The profile of a group.
   *
   * @throws {UnknownProfile} 404
   */
  profile(group: Group): Profile {
    const profile = this.profileNamed(group.profile)
    if (profile === undefined) throw new UnknownProfile(group.profile, group.id)
    return profile
  }

  /** The declared machine of these identifiers; `machines/identity.ts` says which of them counts first. */
  machine(known: Identifiers, trust?: IdentifierTrust): Machine | undefined {
    return this.identities.machine(known, trust)
  }

  #layersFor(kind: Kind): Map<string, Layers> {
    return this.#layers.get(kind) ?? new Map() // there is one of each kind
  }

  #layersOf(kind: Kind, id: string): Layers {
    return this.#layersFor(kind).get(id) ?? NOTHING
  }

  #set(kind: Kind, id: string, layers: Layers): void {
    const before = effective(this.#layersOf(kind, id))
    const after = effective(layers)
    if (layers.stored === undefined && layers.file === undefined) this.#layersFor(kind).delete(id)
    else this.#layersFor(kind).set(id, layers)
    this.#lists.delete(kind)
    if (kind === 'machine') this.#machines = undefined
    if (before !== after) this.#reindex(kind, id, before, after)
  }

  #reindex(kind: Kind, id: string, before: AnyObject | undefined, after: AnyObject | undefined): void {
    // Each kind has its own type of object.
    if (kind === 'group') {
      if (after === undefined) this.groups.delete(id)
      else this.groups.put(id, after as Group)
    } else if (kind === 'profile') {
      if (after === undefined) this.#profiles.delete(id)
      else this.#profiles.set(id, after as Profile)
    } else if (kind === 'machine') {
      if (before !== undefined) this.identities.remove(before as Machine)
      if (after !== undefined) this.identities.add(after as Machine)
    }
  }
}

type AnyObject = Objects[Kind]

const NOTHING: Layers = {}

function effective({ stored, file }: Layers): AnyObject | undefined {
  if (stored?.object !== undefined) return stored.object
  return stored?.hides !== undefined && stored.hides === file?.version ? undefined : file?.object
}

function entryOf<K extends Kind>(kind: K, id: string, { stored, file }: Layers): Entry<K> | undefined {
  // What is kept under a kind is of that kind.
  if (stored?.object !== undefined) {
    const { object, revision, at, who, site } = stored
    const of = { kind, id, object: object as Objects[K], version: String(revision), at, who }
    return { ...of, source: 'store', ...(site === undefined ? {} : { site }) }
  }
  if (file === undefined || stored?.hides === file.version) return undefined
  return { kind, id, object: file.object as Objects[K], version: file.version, source: 'directory' }
}
