// What machines and sites are given by 'pilotlight up' and no one reads back: bundles and authorities, sealed on disk.

import type { BundleDescription, SiteAuthority } from '#model/bundle.ts'

/** What machines fetch once in a boot. */
export interface BundleStore {
  bundle(machine: string): Promise<BundleDescription | undefined>
  /** Says whether a machine has one. */
  hasBundle(machine: string): Promise<boolean>
  /** Keeps it in place of the one before, and says whether it differs from that. */
  putBundle(machine: string, bundle: BundleDescription): Promise<boolean>
}

/** What signs for sites. */
export interface AuthorityStore {
  /** The names of the sites that have one. */
  authoritySites(): Promise<string[]>
  authority(site: string): Promise<SiteAuthority | undefined>
  /**
   * Keeps `authority` in place of `before`, which was read (undefined for none); false, and nothing is changed, when another
   * one is kept by now.
   */
  replaceAuthority(
    site: string,
    before: SiteAuthority | undefined,
    authority: SiteAuthority,
  ): Promise<boolean>
}
