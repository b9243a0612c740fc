// Bundles and authorities in SQLite, sealed.

import type { BundleDescription, SiteAuthority } from '#model/bundle.ts'
import type { Database } from './database.ts'
import type { SealedTable } from './sealed-table.ts'
import type { AuthorityStore, BundleStore } from '../secrets.ts'

/** The sealed values of machines and sites. */
export class StoredSecrets implements BundleStore, AuthorityStore {
  readonly #db: Database
  readonly #sealed: SealedTable

  constructor(db: Database, sealed: SealedTable) {
    this.#db = db
    this.#sealed = sealed
  }

  async bundle(machine: string): Promise<BundleDescription | undefined> {
    return this.#sealed.read('bundle', machine) as BundleDescription | undefined // as putBundle wrote it
  }

  async hasBundle(machine: string): Promise<boolean> {
    return this.#sealed.has('bundle', machine)
  }

  putBundle(machine: string, bundle: BundleDescription): Promise<boolean> {
    return this.#db.together(() => this.#sealed.write('bundle', machine, bundle))
  }

  async authoritySites(): Promise<string[]> {
    return this.#sealed.names('authority')
  }

  async authority(site: string): Promise<SiteAuthority | undefined> {
    return this.#authority(site)
  }

  replaceAuthority(
    site: string,
    before: SiteAuthority | undefined,
    authority: SiteAuthority,
  ): Promise<boolean> {
    return this.#db.together(() => {
      if (JSON.stringify(this.#authority(site)) !== JSON.stringify(before)) return false
      this.#sealed.write('authority', site, authority)
      return true
    })
  }

  #authority(site: string): SiteAuthority | undefined {
    return this.#sealed.read('authority', site) as SiteAuthority | undefined // as replaceAuthority wrote it
  }
}
