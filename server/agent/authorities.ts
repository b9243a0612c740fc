// The authorities of all sites: what `pilotlight up` gives, with the signers that we make for it and renew.

import { X509Certificate } from 'node:crypto'
import type { SiteAuthority } from '#model/bundle.ts'
import { OtherAuthority } from './errors.ts'
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

  /**
   * Keeps what signs for a site; its signers of kubelet certificates stay while they are young.
   *
   * @param mayReplace whether another authority may take the place of the one that is kept
   * @throws {OtherAuthority} when it may not
   */
  async put(site: string, authority: SiteAuthority, mayReplace = false): Promise<AuthorityPut> {
    const { changed, kept } = await this.#replace(site, authority, mayReplace)
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
    mayReplace = true,
  ): Promise<{ readonly changed: boolean; readonly kept?: SiteAuthority }> {
    for (;;) {
      const before = await this.#store.authority(site)
      const wanted = given ?? before
      if (wanted === undefined) return { changed: false }
      if (!mayReplace && before !== undefined) refuseOther(site, before, wanted)
      const kept = await withSigners(wanted, before, this.#now())
      if (JSON.stringify(kept) === JSON.stringify(before)) return { changed: false, kept }
      if (await this.#store.replaceAuthority(site, before, kept)) return { changed: true, kept }
    }
  }
}

/** The fingerprint of a certificate in PEM: `SHA256:` and 64 hexadecimal digits. */
function fingerprintOf(certificate: string): string {
  return `SHA256:${new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase()}`
}

/** The fingerprint of the signer `ca`, or of the first one where there is none of that name; undefined for no signer. */
export function authorityFingerprint({ signers }: SiteAuthority): string | undefined {
  const signer = signers['ca'] ?? Object.values(signers)[0]
  return signer && fingerprintOf(signer.certificate)
}

/** Refuses an authority with a signer that has the name of one that is kept, and another certificate; `ca` is named first. */
function refuseOther(site: string, kept: SiteAuthority, given: SiteAuthority): void {
  const names = ['ca', ...Object.keys(given.signers)]
  for (const name of names) {
    const [before, now] = [kept.signers[name]?.certificate, given.signers[name]?.certificate]
    if (before === undefined || now === undefined || before === now) continue
    throw new OtherAuthority(site, fingerprintOf(before), fingerprintOf(now))
  }
}
