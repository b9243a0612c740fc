// What decides today: the objects put through the API over the files of the data directory, indexed for lookup.
// A catalog is never changed; a change makes a new one.

import { NoMatchingGroup, UnknownProfile } from '../errors.ts'
import { GroupIndex } from '../match/groups.ts'
import type { DirectoryContent, Problem } from './data-directory.ts'
import type { Group, Labels, Machine, Profile, ProvisioningNetwork, SiteObjects } from './objects.ts'

/** A site as the store has it. */
export type StoredSite = { readonly name: string; readonly objects: SiteObjects }

/** What the server knows at one moment. */
export class Catalog {
  readonly groups: GroupIndex
  readonly machines: readonly Machine[]
  readonly problems: readonly Problem[]
  readonly networks: readonly ProvisioningNetwork[]
  readonly #profiles = new Map<string, Profile>()
  readonly #byName = new Map<string, Machine>()
  readonly #byMac = new Map<string, Machine>()
  readonly #byUuid = new Map<string, Machine>()
  readonly #byAddress = new Map<string, Machine>()

  constructor(directory: DirectoryContent, sites: readonly StoredSite[]) {
    for (const [name, profile] of directory.profiles) this.#profiles.set(name, profile)
    for (const { objects } of sites) {
      for (const profile of objects.profiles) this.#profiles.set(profile.id, profile)
    }
    const stored = sites.flatMap(site => site.objects.groups)
    const storedIds = new Set(stored.map(group => group.id))
    this.groups = new GroupIndex([...stored, ...directory.groups.filter(group => !storedIds.has(group.id))])
    this.machines = sites.flatMap(site => site.objects.machines)
    this.networks = sites.map(site => site.objects.network)
    this.problems = directory.problems
    for (const machine of this.machines) {
      this.#byName.set(machine.name, machine)
      this.#byAddress.set(machine.address, machine)
      if (machine.uuid !== undefined) this.#byUuid.set(machine.uuid.toLowerCase(), machine)
      for (const mac of machine.macs) this.#byMac.set(mac, machine)
    }
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
  group(labels: Labels): Group {
    const group = this.groups.select(labels)
    if (group === undefined) throw new NoMatchingGroup(labels, this.groups.groups.length)
    return group
  }

  /**
   * The profile of a group.
   *
   * @throws {UnknownProfile} 404
   */
  profile(group: Group): Profile {
    const profile = this.#profiles.get(group.profile)
    if (profile === undefined) throw new UnknownProfile(group.profile, group.id)
    return profile
  }

  /** The declared machine behind whatever is known of it; a MAC weighs more than a UUID, of which firmware makes copies. */
  machine(known: { mac?: string; uuid?: string; name?: string; address?: string }): Machine | undefined {
    return (
      (known.name === undefined ? undefined : this.#byName.get(known.name)) ??
      (known.mac === undefined ? undefined : this.#byMac.get(known.mac)) ??
      (known.uuid === undefined ? undefined : this.#byUuid.get(known.uuid.toLowerCase())) ??
      (known.address === undefined ? undefined : this.#byAddress.get(known.address))
    )
  }
}
