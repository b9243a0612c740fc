// How a machine that runs has its certificates renewed: with the token and the key of the boot that its bundle was given
// in. It gets certificates for the keys that it has, and what changes while a cluster runs: the signers of its kubelets.

import { isLater } from '#model/boot.ts'
import type { BundleDescription } from '#model/bundle.ts'
import type { Machine } from '#model/machine.ts'
import { KeyRefused, NoBundle, NotDelivered, TokenExpired, UnknownToken, WrongAnswer } from '../errors.ts'
import type { Alarms } from '../machines/alarms.ts'
import type { Store } from '../store/store.ts'
import { assembleBundle, type SigningRequests } from './assemble.ts'
import { bundleArchive } from './bundle.ts'
import { isSameAnswer, newAnswer } from './challenge.ts'
import type { Enrolling } from './enrolment.ts'
import { sealText, sealTo } from './sealing.ts'
import { keepSigning } from './signers.ts'
import type { Clocks } from '../process/clocks.ts'

/** What renewal needs of the service. */
export type RenewalNeeds = {
  readonly store: Pick<
    Store,
    'bundle' | 'authority' | 'machineBoot' | 'lastUsedBoot' | 'machineKeys' | 'putSigning'
  >
  readonly alarms: Pick<Alarms, 'raise'>
  /** A machine as it is declared now. */
  readonly machineOf: (name: string) => Machine | undefined
  readonly clocks: Clocks
}

/** What a machine is asked for. */
export type RenewalOffer = {
  /** 32 random bytes (base64url), sealed to the machine's key. */
  readonly challenge: string
  readonly requests: readonly { readonly name: string; readonly key: string }[]
  /** Milliseconds since 1970. */
  readonly time: number
}

/** Renewals of all machines. */
export class Renewal {
  readonly #needs: RenewalNeeds
  /** The last challenge of each machine. One that a restart forgot is asked for again. */
  readonly #challenges = new Map<string, { readonly boot: string; readonly answer: string }>()

  constructor(needs: RenewalNeeds) {
    this.#needs = needs
  }

  /**
   * Begins a renewal.
   *
   * @throws {NotDelivered} 409, when this boot has no bundle yet; {TokenExpired} 403, when a later one has; {UnknownToken} 401, when
   *   the machine is gone; {KeyRefused} 403; {NoBundle} 503
   */
  async offer(who: Enrolling): Promise<RenewalOffer> {
    const { key, description } = this.#allowed(who)
    const answer = newAnswer()
    this.#challenges.set(who.machine.name, { boot: who.token.boot, answer })
    const requests = description.requests.map(({ name, key: path }) => ({ name, key: path }))
    return { challenge: await sealText(key, answer), requests, time: this.#needs.clocks.wall() }
  }

  /**
   * Gives the archive of what is renewed, sealed to the machine's key. A challenge is valid for one renewal. What an operator
   * decides while it is signed and sealed holds.
   *
   * @throws {WrongAnswer} 403, and what `offer` throws
   * @throws {BadRequest} 400, when a signing request is missing or unfit; {NoAuthority} 503
   */
  async renew(
    who: Enrolling,
    { answer, csrs }: { readonly answer: string; readonly csrs: SigningRequests },
  ): Promise<{ sealed: Uint8Array; files: number }> {
    const { store, clocks } = this.#needs
    const { name } = who.machine
    const { key, description } = this.#allowed(who)
    const challenge = this.#challenges.get(name)
    if (challenge?.boot !== who.token.boot || !isSameAnswer(challenge.answer, answer)) {
      this.#alarm(who, `${who.address} answered the challenge of ${name} wrongly, for a renewal`)
      throw new WrongAnswer(name)
    }
    this.#challenges.delete(name)
    const authority = description.site === undefined ? undefined : store.authority(description.site)
    const renewed = {
      ...description,
      files: [],
      secrets: description.secrets.filter(({ renews }) => renews === true),
    }
    const files = await assembleBundle(renewed, authority, csrs, clocks.wall())
    const sealed = await sealTo(key, bundleArchive(files, Math.floor(clocks.wall() / 1000)))
    this.#allowed(who) // an operator may have rejected it meanwhile
    keepSigning(store, name, description)
    return { sealed, files: files.length }
  }

  /** The key of the machine's boot, if that was given a bundle and its key is still good. */
  #allowed(who: Enrolling): { key: string; description: BundleDescription } {
    const { store, machineOf } = this.#needs
    const { token, machine } = who
    if (machineOf(machine.name) === undefined) throw new UnknownToken() // it was taken out of its site
    const last = store.lastUsedBoot(machine.name)
    if (last !== undefined && isLater(last.boot, token.boot))
      throw new TokenExpired(machine.name, `is of boot ${token.boot}; this is boot ${last.boot}`)
    const boot = store.machineBoot(machine.name, token.boot)
    if (boot?.key === undefined || boot.bundleAt === undefined) throw new NotDelivered(machine.name)
    // The bundle was given for a key that was approved then; it holds until a later boot gets one (the token ends) or an
    // operator rejects it. That another key was approved since, or waits, ends nothing of a machine that runs.
    const known = store.machineKeys(machine.name).find(({ fingerprint, recipient }) => {
      return boot.fingerprint === undefined ? recipient === boot.key : fingerprint === boot.fingerprint
    })
    if (known?.state === 'rejected') {
      this.#alarm(
        who,
        `${machine.name} asks for a renewal with the key ${known.fingerprint}, which is ${known.state}`,
      )
      throw new KeyRefused(machine.name, `its key ${known.fingerprint} is ${known.state}`)
    }
    const description = store.bundle(machine.name)
    if (description === undefined) throw new NoBundle(machine.name)
    return { key: boot.key, description }
  }

  #alarm({ token, machine, mac, address }: Enrolling, text: string): void {
    const where = { mac, machine: machine.name, layer: 'http', boot: token.boot } as const
    this.#needs.alarms.raise({ kind: 'refused', ...where, text, detail: { from: address } })
  }
}
