// The authorities of all sites: what `pilotlight up` gives, with the signers that we make for it and renew.

import type { SiteAuthority } from '#model/bundle.ts'
import type { Store } from '../store/store.ts'
import { signsUntil, withSigners } from './signers.ts'

/** The result of putting an authority. */
export type AuthorityPut = {
  readonly changed: boolean
  /** Milliseconds since 1970: the end of what the signers can sign that machines get from now on. */
  readonly signsUntil: number
}

/** The authorities that the store keeps. */
export class Authorities {
  readonly #store: Pick<Store, 'sites' | 'authority' | 'putAuthority'>
  readonly #now: () => number
  /** One change at a time: two would each make a signer, and only one would be kept. */
  #last: Promise<unknown> = Promise.resolve()

  /** @param now milliseconds since 1970 */
  constructor(store: Pick<Store, 'sites' | 'authority' | 'putAuthority'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Replaces what signs for a site; its signers of kubelet certificates stay while they are young. */
  put(site: string, authority: SiteAuthority): Promise<AuthorityPut> {
    return this.#inTurn(async () => {
      const whole = await withSigners(authority, this.#store.authority(site), this.#now())
      const changed = this.#store.putAuthority(site, whole)
      return { changed, signsUntil: signsUntil(whole) ?? 0 }
    })
  }

  /** Gives every signer that is 30 days old a successor; gives the sites that have new ones. */
  renewSigners(): Promise<string[]> {
    return this.#inTurn(async () => {
      const renewed: string[] = []
      for (const name of await this.#store.sites()) {
        const kept = this.#store.authority(name)
        if (kept === undefined) continue
        if (this.#store.putAuthority(name, await withSigners(kept, kept, this.#now()))) renewed.push(name)
      }
      return renewed
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {}) // the caller sees the failure
    return done
  }
}
