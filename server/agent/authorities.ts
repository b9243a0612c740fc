// The authorities of all sites: what `pilotlight up` gives, with the signers that we make for it and renew.

import type { SiteAuthority } from '#model/bundle.ts'
import type { AuthorityStore } from '../store/secrets.ts'
import { signsUntil, withSigners } from './signers.ts'

/** The result of putting an authority. */
export type AuthorityPut = {
  readonly changed: boolean
  /** Milliseconds since 1970: the end of what the signers can sign that machines get from now on. */
  readonly signsUntil: number
}

/** The authorities that the store keeps. */
export class Authorities {
  readonly #store: AuthorityStore
  readonly #now: () => number

  /** @param now milliseconds since 1970 */
  constructor(store: AuthorityStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Replaces what signs for a site; its signers of kubelet certificates stay while they are young. */
  async put(site: string, authority: SiteAuthority): Promise<AuthorityPut> {
    const { changed, kept } = await this.#replace(site, authority)
    return { changed, signsUntil: (kept && signsUntil(kept)) ?? 0 }
  }

  /** Gives every signer that is 30 days old a successor; gives the sites that have new ones. */
  async renewSigners(): Promise<string[]> {
    const renewed: string[] = []
    for (const site of await this.#store.authoritySites()) {
      if ((await this.#replace(site)).changed) renewed.push(site)
    }
    return renewed
  }

  /**
   * Keeps an authority, the one before unless another is given, with its signers. Making signers takes a while: where another
   * one was kept meanwhile, it begins again from that, whose signers are young.
   */
  async #replace(
    site: string,
    given?: SiteAuthority,
  ): Promise<{ readonly changed: boolean; readonly kept?: SiteAuthority }> {
    for (;;) {
      const before = await this.#store.authority(site)
      const wanted = given ?? before
      if (wanted === undefined) return { changed: false }
      const kept = await withSigners(wanted, before, this.#now())
      if (JSON.stringify(kept) === JSON.stringify(before)) return { changed: false, kept }
      if (await this.#store.replaceAuthority(site, before, kept)) return { changed: true, kept }
    }
  }
}
