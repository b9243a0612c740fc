// Whether another DHCP server gives addresses in the network in which ours is to be the only one (`dhcp: full`): what looks saw, and
// what machines that are declared were seen to do.

import type { ProvisioningNetwork } from '#model/network.ts'
import type { DhcpLook } from './other-servers-probe.ts'
import type { DhcpAnswer } from './other-servers.ts'

/** What the watch needs. */
export type OtherServersNeeds = {
  /** Our address. */
  readonly address: string
  /** The network that we serve now. */
  readonly network: () => ProvisioningNetwork | undefined
  readonly look: () => Promise<DhcpLook>
  /** The name of the declared machine with a hardware address. */
  readonly machineOf: (mac: string) => string | undefined
  /** Milliseconds that only grow. */
  readonly clock: () => number
  readonly warn: (text: string) => void
}

/** After so long without a sign of it another server counts as gone; while it is there it is looked for again so often. */
const GONE_MS = 15 * 60_000
const AGAIN_MS = 5 * 60_000
/** What was observed of clients that no one declared is a reason to look, so often at most. */
const LOOK_EVERY_MS = 60_000

/** Watches for another DHCP server. */
export class OtherServersWatch {
  readonly #needs: OtherServersNeeds
  #seen: { readonly text: string; readonly at: number; readonly byLook: boolean } | undefined
  #lookedAt = -Infinity

  constructor(needs: OtherServersNeeds) {
    this.#needs = needs
  }

  /** A client was heard to take the offer of `server`. */
  chose(server: string, mac: string): void {
    const machine = this.#needs.machineOf(mac)
    if (machine === undefined) return this.#lookSoon()
    this.#found(`machine ${machine} (${mac}) took the offer of another DHCP server, ${server}`, false)
  }

  /** An answer of another server to a client was heard. It may be of the wire of another card of this host. */
  observed({ server, mac, kind, address }: DhcpAnswer): void {
    if (!this.#isOurs()) return
    const machine = this.#needs.machineOf(mac)
    if (machine === undefined) return this.#lookSoon()
    const what = kind === 'nak' ? 'refused' : `gave ${address ?? 'a boot file, and no address,'} to`
    this.#found(`another DHCP server, ${server}, ${what} machine ${machine} (${mac})`, false)
  }

  /** Looks now, and takes note of what was seen. */
  async look(): Promise<DhcpLook> {
    this.#lookedAt = this.#needs.clock()
    const look = await this.#needs.look()
    if (!look.looked) return look
    // Also before the site is put, as `up` looks: it counts once the site says that we are to be the only one.
    const others = othersIn(look.answers, this.#needs.address)
    if (others.length > 0) this.#found(others.map(answerText).join('; '), true)
    else if (this.#seen?.byLook === true) this.#seen = undefined
    return look
  }

  /** What is an alarm now: why, for the network; nothing when all is well. */
  find(): Readonly<Record<string, string>> {
    const now = this.#needs.clock()
    const network = this.#needs.network()
    if (this.#seen !== undefined && now - this.#seen.at > GONE_MS) this.#seen = undefined
    if (this.#seen === undefined || network?.dhcp !== 'full') return {}
    if (now - this.#lookedAt > AGAIN_MS) void this.look()
    const remedy =
      'Switch it off, or keep it from this network; where it is to give the addresses, write  dhcp: proxy  or  dhcp: off  into the site file.'
    return { [`network:${network.subnet}`]: `In ${network.subnet} ${this.#seen.text}. ${remedy}` }
  }

  #isOurs(): boolean {
    return this.#needs.network()?.dhcp === 'full'
  }

  #lookSoon(): void {
    if (!this.#isOurs() || this.#needs.clock() - this.#lookedAt < LOOK_EVERY_MS) return
    void this.look()
  }

  #found(text: string, byLook: boolean): void {
    if (this.#isOurs() && this.#seen?.text !== text)
      this.#needs.warn(`In ${this.#needs.network()?.subnet} ${text}`)
    this.#seen = { text, at: this.#needs.clock(), byLook }
  }
}

/** The answers of other servers than the one at `address`. */
export function othersIn(answers: readonly DhcpAnswer[], address: string): DhcpAnswer[] {
  return answers.filter(({ server }) => server !== address)
}

/** An answer as a person finds its server by: `another DHCP server, 10.20.0.9, offers 10.20.0.57 (router 10.20.0.9)`. */
export function answerText({ server, address, router, nextServer, bootFile }: DhcpAnswer): string {
  const offer = address === undefined ? 'offers no address' : `offers ${address}`
  const details = [
    ...(router === undefined ? [] : [`router ${router}`]),
    ...(bootFile === undefined
      ? []
      : [`boot file ${bootFile}${nextServer === undefined ? '' : ` from ${nextServer}`}`]),
  ]
  return `another DHCP server, ${server}, ${offer}${details.length === 0 ? '' : ` (${details.join(', ')})`}`
}
