// How a machine that runs has its certificates renewed: with the token and the key of the boot that its bundle was given
// in. It gets certificates for the keys that it has, and what changes while a cluster runs: the signers of its kubelets.

import { isLater } from '#model/boot.ts'
import type { BundleDescription } from '#model/bundle.ts'
import type { Machine } from '#model/machine.ts'
import { KeyRefused, NoBundle, NotDelivered, TokenExpired, UnknownToken, WrongAnswer } from './errors.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { ChangingRecord, MachineRecord, MachineRecords } from '../store/machine-records.ts'
import type { AuthorityStore, BundleStore } from '../store/secrets.ts'
import { assembleBundle, type SigningRequests } from './assemble.ts'
import { bundleArchive } from './bundle.ts'
import { isSameAnswer, newAnswer } from './challenge.ts'
import { alarmOf, type TokenHolder } from './token-holder.ts'
import { refusalOf } from '../store/refusable.ts'
import { sealText, sealTo } from './sealing.ts'
import { signingOf } from './signers.ts'
import type { Clocks } from '../process/clock.ts'

/** What renewal needs from the service. */
export type RenewalNeeds = {
  readonly store: Pick<MachineRecords, 'change'>
  readonly secrets: Pick<BundleStore & AuthorityStore, 'bundle' | 'authority'>
  readonly alarms: Pick<Occurrences, 'raise'>
  /** A machine as it is declared now. */
  readonly machineOf: (name: string) => Machine | undefined
  readonly clocks: Clocks
}

/** The challenge of a renewal. */
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
  async offer(who: TokenHolder): Promise<RenewalOffer> {
    const { key, description } = await this.#allowed(who)
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
    who: TokenHolder,
    { answer, csrs }: { readonly answer: string; readonly csrs: SigningRequests },
  ): Promise<{ sealed: Uint8Array; files: number }> {
    const { secrets, clocks } = this.#needs
    const { name } = who.machine
    const { key, description } = await this.#allowed(who)
    const challenge = this.#challenges.get(name)
    if (challenge?.boot !== who.token.boot || !isSameAnswer(challenge.answer, answer)) {
      this.#needs.alarms.raise(
        alarmOf(who, 'refused', `${who.address} answered the challenge of ${name} wrongly, for a renewal`),
      )
      throw new WrongAnswer(name)
    }
    this.#challenges.delete(name)
    const authority = description.site === undefined ? undefined : await secrets.authority(description.site)
    const renewed = {
      ...description,
      files: [],
      secrets: description.secrets.filter(({ renews }) => renews === true),
    }
    const files = await assembleBundle(renewed, authority, csrs, clocks.wall())
    const sealed = await sealTo(key, bundleArchive(files, Math.floor(clocks.wall() / 1000)))
    const signing = signingOf(description, authority)
    await this.#allowed(who, record => {
      // an operator may have rejected it meanwhile
      if (signing !== undefined) record.putSigning(signing)
    })
    return { sealed, files: files.length }
  }

  /**
   * The key of the machine's boot, if that was given a bundle and its key is still good, and what it renews; `step` is done
   * with the look at it.
   */
  async #allowed(
    who: TokenHolder,
    step: (record: ChangingRecord) => void = () => {},
  ): Promise<{ key: string; description: BundleDescription }> {
    const { store, secrets, machineOf } = this.#needs
    const { name } = who.machine
    if (machineOf(name) === undefined) throw new UnknownToken() // it was taken out of its site
    const description = await secrets.bundle(name)
    let alarm: string | undefined
    const allowed = await store.change(name, record => {
      alarm = undefined
      return refusalOf(() => {
        const { key, rejected } = keyOf(record, who)
        if (rejected !== undefined) {
          alarm = `${name} asks for a renewal with the key ${rejected}, which is rejected`
          throw new KeyRefused(name, `its key ${rejected} is rejected`)
        }
        step(record)
        return key
      })
    })
    if (alarm !== undefined) this.#needs.alarms.raise(alarmOf(who, 'refused', alarm))
    if ('refusal' in allowed) throw allowed.refusal
    if (description === undefined) throw new NoBundle(name)
    return { key: allowed.value, description }
  }
}

/**
 * The key that a boot's bundle was sealed to; and its fingerprint, where an operator rejected that.
 *
 * @throws {TokenExpired} {NotDelivered}
 */
function keyOf(
  record: MachineRecord,
  { token, machine }: TokenHolder,
): { readonly key: string; readonly rejected?: string } {
  const last = record.lastUsedBoot()
  if (last !== undefined && isLater(last.boot, token.boot))
    throw new TokenExpired(machine.name, `is of boot ${token.boot}; this is boot ${last.boot}`)
  const own = record.boot(token.boot)
  // An installed machine that booted from the network goes on with the bundle of an earlier boot, and the key of that.
  const isInstalled = record.disk().installs.some(({ confirmedAt }) => confirmedAt !== undefined)
  const boot = own?.bundleAt === undefined && isInstalled ? last : own
  if (boot?.key === undefined || boot.bundleAt === undefined) throw new NotDelivered(machine.name)
  // The bundle was given for a key that was approved then; it holds until a later boot gets one (the token ends) or an
  // operator rejects it. That another key was approved since, or waits, ends nothing of a machine that runs.
  const known = record.keys().find(({ fingerprint, recipient }) => {
    return boot.fingerprint === undefined ? recipient === boot.key : fingerprint === boot.fingerprint
  })
  return { key: boot.key, ...(known?.state === 'rejected' && { rejected: known.fingerprint }) }
}
