// How a machine gets its bundle: it shows the key that it made in its initrd, the key is approved or waits, and the
// bundle goes out sealed to it, once a boot, to who can open a challenge with that key.

import { isLater } from '#model/boot.ts'
import type { BundleFile } from '#model/bundle.ts'
import { cleanText, LIMITS } from '#model/clean.ts'
import type { MachineKey } from '#model/machine-key.ts'
import type { Machine } from '#model/machine.ts'
import { messageOf } from '#progress/wait.ts'
import { NotFound } from '../errors.ts'
import {
  AmbiguousKey,
  ApprovalTooLate,
  KeyRefused,
  NoBundle,
  NoKeyWaits,
  OtherKeyApproved,
  TokenReplayed,
  UnknownToken,
  WrongAnswer,
} from './errors.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { Clients } from '../machines/clients.ts'
import type { Journal } from '../machines/journal.ts'
import type { ChangingRecord, MachineRecord, MachineRecords, Reopening } from '../store/machine-records.ts'
import type { AuthorityStore, BundleStore } from '../store/secrets.ts'
import { decideKey, trustOf } from './trust.ts'
import { assembleBundle, type SigningRequests } from './assemble.ts'
import { bundleArchive } from './bundle.ts'
import { isSameAnswer, newAnswer } from './challenge.ts'
import type { Clocks } from '../process/clock.ts'
import { allowDiskKeys, rejectDiskKeys } from '../store/disk-key-records.ts'
import { attestationKey, checkQuote, quoteData, type AttestationKey } from './quote.ts'
import { refusalOf } from '../store/refusable.ts'
import type { Reopenings } from './reopenings.ts'
import { fingerprintOf, requireRecipient, sealText, sealTo } from './sealing.ts'
import { alarmOf, type TokenHolder } from './token-holder.ts'
import { signingOf } from './signers.ts'
import type { BootTokens } from './boot-tokens.ts'
import { Waits } from './waits.ts'

/** How many keys of one boot may wait: the machine's own, and a few of strangers in its name. */
const WAITING_A_BOOT = 4
/** How many keys from other addresses than a machine's declared one may wait that were shown within an hour. */
const WAITING_ELSEWHERE = 8
const HOUR_MS = 3_600_000
/** How many challenges of a machine, and waits, are kept in memory. */
const REMEMBERED = 16

/** What enrolment needs from the service. */
export type EnrolmentNeeds = {
  readonly store: Pick<MachineRecords, 'change' | 'read' | 'keys'>
  readonly secrets: Pick<BundleStore & AuthorityStore, 'bundle' | 'authority'>
  readonly tokens: Pick<BootTokens, 'goodIn' | 'spendIn'>
  readonly reopenings: Reopenings
  readonly journal: Pick<Journal, 'record' | 'currentOf' | 'macOf'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly clients: Pick<Clients, 'dhcp'>
  /** A machine as it is declared now. */
  readonly machineOf: (name: string) => Machine | undefined
  readonly clocks: Clocks
}

/** What a machine shows to enroll: its age recipient, and at L3 its TPM's attestation key (TPM2B_PUBLIC in base64). */
export type Shown = { readonly key: string; readonly tpm?: { readonly ak: string } }

/** The answer: a challenge and the names of what the machine asks to have signed; or that it waits, and for what. */
export type Enrolled =
  | {
      readonly status: 'approved'
      readonly challenge: string
      readonly requests: readonly { readonly name: string; readonly key: string }[]
      readonly time: number
    }
  | { readonly status: 'waiting'; readonly message: string }

/** The key that an operator decides on: the only one that waits, where none is named. */
export type WantedKey = {
  readonly fingerprint?: string
  /** Approves it only when neither its boot nor a later one showed another key. */
  readonly isOnly?: boolean
}

/** What a machine sends for its bundle. */
export type Asked = {
  readonly answer: string
  readonly csrs?: SigningRequests
  /** TPMS_ATTEST and TPMT_SIGNATURE, in base64. */
  readonly quote?: { readonly attest: string; readonly signature: string }
}

type Challenge = {
  readonly boot: string
  readonly answer: string
  readonly key: string
  readonly ak: AttestationKey | undefined
}

/** A step on a machine's record. It may run again, so it only collects reports; they are sent once the record is on disk. */
type Step<T> = (record: ChangingRecord, reports: Report[]) => T
type Report = () => void

/** Keys, approvals and challenges of all machines. */
export class Enrolment {
  readonly #needs: EnrolmentNeeds
  /** The last challenges of each machine, one a key and boot. One that a restart forgot is asked for again. */
  readonly #challenges = new Map<string, readonly Challenge[]>()
  /** The keys that wait in their boots. */
  readonly #waits: Waits

  constructor(needs: EnrolmentNeeds) {
    this.#needs = needs
    this.#waits = new Waits(needs.clocks.steady)
  }

  /**
   * Takes a machine's key, and says what would be decided on it. Several keys may be shown in one boot: none of them ends
   * another one, and a policy pins a key only when `bundle` has the proof that the sender holds it.
   *
   * @throws {BadRequest} 400, when it is not a key; {UnfitTpmKey} 400
   * @throws {KeyRefused} 403, when it was rejected, too many others of this boot wait, or the boot is not open any more;
   *   {ApprovalTooLate} 403, when it waited too long
   * @throws {TokenReplayed} 409, when the bundle of this boot was given; {NoBundle} 503, when there is none yet
   */
  async enroll(who: TokenHolder, { key, tpm }: Shown): Promise<Enrolled> {
    const { secrets, clocks } = this.#needs
    const { token, machine } = who
    await this.#step(machine.name, (record, reports) => this.#refuseSpent(record, who, key, reports))
    await requireRecipient(key)
    const trust = trustOf(machine)
    if (trust.level === 'L3' && tpm === undefined) {
      const why = 'the site asks for a TPM (trust: L3), and it showed no attestation key'
      this.#needs.alarms.raise(
        alarmOf(who, 'refused', `${machine.name} at ${who.address} is refused: ${why}`),
      )
      throw new KeyRefused(machine.name, why)
    }
    const ak = tpm === undefined ? undefined : attestationKey(Buffer.from(tpm.ak, 'base64'))
    const bundle = await secrets.bundle(machine.name)
    if (bundle === undefined) throw new NoBundle(machine.name)
    const fingerprint = trust.level === 'L3' && ak !== undefined ? ak.fingerprint : fingerprintOf(key)
    const { deadlineMinutes } = trust
    const wait = `${token.boot} ${fingerprint}`
    const isLate = this.#waits.hasBeenOver(machine.name, wait, deadlineMinutes)
    const decided = await this.#decide(who, key, fingerprint, { isProven: false, isLate })
    if (decided.state === 'rejected') {
      this.#needs.alarms.raise(
        alarmOf(who, 'refused', `the key ${fingerprint} of ${machine.name} was rejected: ${decided.why}`),
      )
      throw new KeyRefused(machine.name, `its key ${fingerprint} was rejected`)
    }
    if (decided.state !== 'approved') {
      // Only a key that is kept begins to wait: those that find no room push out no wait of another one.
      this.#waits.isOver(machine.name, wait, deadlineMinutes)
      if (isLate) throw new ApprovalTooLate(machine.name, deadlineMinutes)
      return { status: 'waiting', message: heldText(decided) }
    }
    const answer = newAnswer()
    const others = (this.#challenges.get(machine.name) ?? []).filter(
      it => it.boot !== token.boot || it.key !== key,
    )
    this.#challenges.set(
      machine.name,
      [{ boot: token.boot, answer, key, ak }, ...others].slice(0, REMEMBERED),
    )
    const requests = bundle.requests.map(({ name, key: path }) => ({ name, key: path }))
    return { status: 'approved', challenge: await sealText(key, answer), requests, time: clocks.wall() }
  }

  /**
   * Gives the bundle, sealed to the machine's key, and spends the boot on it. A failure before that spends nothing. What an
   * operator decides before that is respected, also while the bundle is signed and sealed.
   *
   * @throws {WrongAnswer} 403; {KeyRefused} 403; {QuoteRefused} 403; {TokenReplayed} 409
   * @throws {TokenExpired} 403, {UnknownToken} 401, when the token ended meanwhile
   * @throws {BadRequest} 400, when a signing request is missing or unfit; {NoBundle} 503; {NoAuthority} 503
   */
  async bundle(
    who: TokenHolder,
    { answer, csrs = {}, quote }: Asked,
  ): Promise<{ sealed: Uint8Array; files: number; measured?: string }> {
    const { secrets, tokens, clocks } = this.#needs
    const { token, machine } = who
    const challenge = this.#challenges.get(machine.name)?.find(it => {
      return it.boot === token.boot && isSameAnswer(it.answer, answer)
    })
    await this.#step(machine.name, (record, reports) =>
      this.#refuseSpent(record, who, challenge?.key, reports),
    )
    if (challenge === undefined) {
      this.#needs.alarms.raise(
        alarmOf(who, 'refused', `${who.address} answered the challenge of ${machine.name} wrongly`),
      )
      throw new WrongAnswer(machine.name)
    }
    const { key, ak } = challenge
    const { level } = trustOf(machine)
    const data = quoteData(answer, key)
    const measured = level === 'L3' ? this.#requireQuote(who, quote, { ak, data }) : undefined
    // An operator may have rejected it since the challenge.
    const fingerprint = level === 'L3' && ak !== undefined ? ak.fingerprint : fingerprintOf(key)
    const { state } = await this.#decide(who, key, fingerprint, { isProven: true, isLate: false })
    if (state !== 'approved') throw new KeyRefused(machine.name, `its key ${fingerprint} is ${state}`)
    const description = await secrets.bundle(machine.name)
    if (description === undefined) throw new NoBundle(machine.name)
    const authority = description.site === undefined ? undefined : await secrets.authority(description.site)
    const files: BundleFile[] = await assembleBundle(description, authority, csrs, clocks.wall())
    const archive = bundleArchive(files, Math.floor(clocks.wall() / 1000))
    const sealed = await sealTo(key, archive)
    const signing = signingOf(description, authority)
    // One step: what was decided on meanwhile is before it, and whatever comes after finds the boot spent.
    await this.#step(machine.name, (record, reports) => {
      this.#requireStill(record, who, { key, fingerprint }, reports)
      try {
        if (!isRepeat(record, who, key)) tokens.spendIn(record, token, { key, fingerprint })
      } catch (error) {
        if (error instanceof TokenReplayed) this.#replayed(who, reports)
        throw error
      }
      if (signing !== undefined) record.putSigning(signing)
    })
    this.#challenges.delete(machine.name)
    this.#waits.end(machine.name)
    return { sealed, files: files.length, ...(measured !== undefined && { measured }) }
  }

  /** The keys of a machine, or of all machines. */
  keys(machine?: string): Promise<readonly MachineKey[]> {
    return this.#needs.store.keys(machine)
  }

  /**
   * An operator approves a key of a machine: the one named, or the only one that waits.
   *
   * @throws {NoKeyWaits} {NotFound} 404
   * @throws {AmbiguousKey} 409, when more than one waits, or the boot of the one showed others, too; for a key that is named
   *   only with `isOnly`
   * @throws {OtherKeyApproved} 409, when a key of the same boot or a later one is approved: two keys in one boot are of two
   *   senders, and a key of an earlier boot is gone with it
   */
  approve(machine: Machine, wanted: WantedKey, who: string): Promise<MachineKey> {
    return this.#settle(machine, wanted, { state: 'approved', why: `${who} approved it`, who })
  }

  /**
   * An operator rejects a key: a machine that shows it is refused, and an encrypted disk that it is on is not handed its key any more.
   * The key that the machine has is one of those that may be meant where none is named: of a disk that is missing nothing waits.
   *
   * @throws {NoKeyWaits} {NotFound} 404; {AmbiguousKey} 409, when none is named, and more than one waits or is the machine's
   */
  reject(machine: Machine, wanted: WantedKey, who: string): Promise<MachineKey> {
    return this.#settle(machine, wanted, { state: 'rejected', why: `${who} rejected it`, who })
  }

  /**
   * An operator opens the next boot of a machine, of those without a token so far: it gets one, and its key is decided on
   * as a first one, until the site's deadline. Until then the key that is pinned stays so, and a machine that runs goes on.
   */
  async reopen(machine: Machine, who: string): Promise<Reopening> {
    const opened = await this.#needs.reopenings.open(machine, who)
    const until = new Date(opened.until).toISOString().slice(0, 16)
    const { deadlineMinutes } = trustOf(machine)
    const text =
      `${who} opened the next boot of ${machine.name}: its key is taken as a first one. ` +
      `The machine must have its bundle by ${until}Z (${deadlineMinutes} min)`
    this.#record(machine, 'reopened', text)
    return opened
  }

  /**
   * An operator takes back that a machine was opened.
   *
   * @throws {NotReopened} 404, when it is not open
   */
  async close(machine: Machine, who: string): Promise<Reopening> {
    const closed = await this.#needs.reopenings.close(machine.name)
    this.#record(machine, 'closed', `${who} closed ${machine.name}, which ${closed.who} had opened`)
    return closed
  }

  /** The machines that are open. */
  reopened(): readonly Reopening[] {
    return this.#needs.reopenings.all()
  }

  /** Closes the machines whose reopening has expired, and records that in their journals. */
  async closeEnded(machineOf: (name: string) => Machine | undefined): Promise<void> {
    for (const { machine: name, who } of await this.#needs.reopenings.removeEnded()) {
      const machine = machineOf(name)
      if (machine === undefined) continue
      const text =
        `${name} is closed: ${who} opened it, and no boot got its bundle within ${trustOf(machine).deadlineMinutes} minutes. ` +
        `To open it again:  pilotlight machines reopen ${name}`
      this.#record(machine, 'closed', text)
    }
  }

  #record(machine: Machine, kind: string, text: string): void {
    const { journal } = this.#needs
    const mac = journal.macOf(machine)
    if (mac !== '') journal.record({ mac, machine: machine.name, layer: 'http', kind, text })
  }

  #settle(
    machine: Machine,
    { fingerprint, isOnly = fingerprint === undefined }: WantedKey,
    {
      state,
      why,
      who,
    }: { readonly state: 'approved' | 'rejected'; readonly why: string; readonly who: string },
  ): Promise<MachineKey> {
    const { clocks, journal } = this.#needs
    return this.#step(machine.name, (record, reports) => {
      const known = record.keys()
      const waiting = known.filter(key => key.state === 'pending')
      const own = state === 'rejected' ? ownKeysOf(record, machine, clocks.wall()) : []
      const wanted =
        fingerprint === undefined
          ? [...waiting, ...own]
          : [...known, ...own].filter(key => key.fingerprint === fingerprint).slice(0, 1)
      const [key] = wanted
      if (key === undefined) {
        if (fingerprint === undefined) throw new NoKeyWaits(machine.name)
        const remedy = `'pilotlight machines pending' lists what waits.`
        throw new NotFound(`key of ${machine.name}`, fingerprint, remedy)
      }
      if (wanted.length > 1) throw new AmbiguousKey(machine.name, wanted)
      // Two keys in one boot are of two senders: an operator who approves one of them names it.
      const others = known.filter(it => it.fingerprint !== key.fingerprint && !isLater(key.boot, it.boot))
      if (state === 'approved') {
        const approved = others.find(it => it.state === 'approved')
        if (approved !== undefined) throw new OtherKeyApproved(machine.name, key, approved)
        if (isOnly && others.length > 0) throw new AmbiguousKey(machine.name, [key, ...others])
      }
      const decided: MachineKey = { ...key, state, why, decidedAt: clocks.wall(), decidedBy: who }
      record.putKey(decided)
      if (state === 'approved') {
        record.closeReopened(key.boot)
        allowDiskKeys(record, key.fingerprint)
      }
      const isOfDisk = state === 'rejected' && rejectDiskKeys(record, key.fingerprint) > 0
      const ofDisk = isOfDisk ? '; the key of its disk is not handed out any more' : ''
      const text = `${who} ${state} the key ${key.fingerprint} of ${machine.name}, seen at ${key.address}${ofDisk}`
      reports.push(() => journal.record({ mac: key.mac, layer: 'http', kind: state, text, boot: key.boot }))
      return decided
    })
  }

  /**
   * Decides on a key by what is known of its token's boot, keeps what was decided, and says so where it is new. An approval
   * is kept only when `isProven`: the sender has shown that it holds the key. `isLate`: the key waited until the deadline.
   */
  #decide(
    who: TokenHolder,
    recipient: string,
    fingerprint: string,
    how: { readonly isProven: boolean; readonly isLate: boolean },
  ): Promise<MachineKey> {
    return this.#step(who.machine.name, (record, reports) =>
      this.#decideIn(record, reports, who, { recipient, fingerprint, ...how }),
    )
  }

  #decideIn(
    record: ChangingRecord,
    reports: Report[],
    who: TokenHolder,
    shown: {
      readonly recipient: string
      readonly fingerprint: string
      readonly isProven: boolean
      readonly isLate: boolean
    },
  ): MachineKey {
    const { reopenings, clients, journal, clocks } = this.#needs
    const { machine, token, mac, address } = who
    const { recipient, fingerprint, isProven, isLate } = shown
    const known = record.keys()
    const { port, proven, isPortMoved = false } = record.boot(token.boot) ?? {}
    const current = journal.currentOf({ machine })?.id
    const boot = {
      id: token.boot,
      isPortMoved,
      isSuperseded: current !== undefined && isLater(current, token.boot),
      isReopened: reopenings.isOpen(record, token.boot),
    }
    const dhcp = proven === true ? clients.dhcp : 'off'
    const own = known.find(key => key.fingerprint === fingerprint)
    // Another machine that this TPM is approved for: it was moved, or answers for a machine that it is not in.
    const isNew = own?.state !== 'approved' && trustOf(machine).level === 'L3'
    const elsewhere = isNew ? record.otherOwner(fingerprint) : undefined
    const decided = decideKey({ machine, fingerprint, known, elsewhere, dhcp, port, boot })
    const { state } = decided
    if (state === 'approved') this.#refuseClosed(record, { who, machine, own }, reports)
    const why =
      state === 'pending' && isLate
        ? 'no operator approved it in time, and the machine asks no more: switch it off and on'
        : decided.why
    const isKept = state !== 'approved' || (isProven && trustOf(machine).level !== 'L1')
    const before = own && { at: own.decidedAt, by: own.decidedBy }
    const now = clocks.wall()
    const decision =
      own?.state === state
        ? {
            ...(before?.at !== undefined && { decidedAt: before.at }),
            ...(before?.by && { decidedBy: before.by }),
          }
        : state === 'approved'
          ? { decidedAt: now, decidedBy: 'site' }
          : {}
    const key: MachineKey = {
      machine: machine.name,
      fingerprint,
      recipient,
      state,
      boot: token.boot,
      address,
      mac,
      ...(port === undefined ? {} : { port }),
      why: own?.state === state && state === 'approved' ? own.why : why,
      seenAt: now,
      ...decision,
    }
    const isNews = own?.state !== state || own.boot !== token.boot || (state === 'pending' && own.why !== why)
    if (!isKept || !isNews) return key
    if (state === 'pending') this.#requireRoom(who, { fingerprint, known }, reports)
    if (isPortMoved && own?.boot !== token.boot) {
      const text = `DHCP of ${machine.name} came from more than one switch port in boot ${token.boot}`
      reports.push(() => this.#needs.alarms.raise(alarmOf(who, 'moved', text)))
    }
    if (own?.port !== undefined && port !== undefined && own.port !== port && own.boot !== token.boot) {
      const text = `${machine.name} shows its key at switch port ${port}; it was at ${own.port}`
      reports.push(() => this.#needs.alarms.raise(alarmOf(who, 'moved', text)))
    }
    record.putKey(key)
    if (state === 'approved') record.closeReopened(token.boot)
    if (state === 'pending') {
      const late = new ApprovalTooLate(machine.name, trustOf(machine).deadlineMinutes)
      reports.push(() =>
        this.#needs.alarms.raise(alarmOf(who, 'held', isLate ? late.message : heldText(key))),
      )
    }
    if (state === 'approved') {
      const text = `${address} shows the key ${fingerprint}: approved, since ${key.why}`
      const event = { mac, layer: 'http', kind: 'approved', text, boot: token.boot } as const
      reports.push(() => journal.record({ ...event, detail: { fingerprint } }))
    }
    return key
  }

  /**
   * Checks a quote, and gives what the TPM measured.
   *
   * @throws {KeyRefused} 403, when there is none; {QuoteRefused} 403
   */
  #requireQuote(
    who: TokenHolder,
    quote: Asked['quote'],
    { ak, data }: { readonly ak: AttestationKey | undefined; readonly data: Uint8Array },
  ): string {
    try {
      if (ak === undefined || quote === undefined)
        throw new KeyRefused(who.machine.name, 'it sent no quote of its TPM')
      const [attest, signature] = [
        Buffer.from(quote.attest, 'base64'),
        Buffer.from(quote.signature, 'base64'),
      ]
      return checkQuote(ak, attest, signature, data, who.machine.firmware).measured
    } catch (error) {
      this.#needs.alarms.raise(
        alarmOf(who, 'refused', `${who.machine.name} at ${who.address}: ${messageOf(error)}`),
      )
      throw error
    }
  }

  /** Limits how many keys of one boot may be pending. @throws {KeyRefused} when there are too many */
  #requireRoom(
    who: TokenHolder,
    { fingerprint, known }: { readonly fingerprint: string; readonly known: readonly MachineKey[] },
    reports: Report[],
  ): void {
    const { machine, token } = who
    const waiting = known.filter(it => {
      return it.boot === token.boot && it.state === 'pending' && it.fingerprint !== fingerprint
    })
    const since = this.#needs.clocks.wall() - HOUR_MS
    const elsewhere = known.filter(it => {
      const isAnother = it.state === 'pending' && it.fingerprint !== fingerprint
      return isAnother && it.address !== machine.address && it.seenAt > since
    })
    const isCrowded = who.address !== machine.address && elsewhere.length >= WAITING_ELSEWHERE
    if (waiting.length < WAITING_A_BOOT && !isCrowded) return
    const why = isCrowded
      ? `${elsewhere.length} other keys wait that were shown from other addresses than ${machine.address}`
      : `${waiting.length} other keys that this boot showed wait already; reject those that are not its own, or boot it again`
    const text = `the key ${fingerprint} of ${machine.name} at ${who.address} is refused: ${why}`
    reports.push(() => this.#needs.alarms.raise(alarmOf(who, 'refused', text)))
    throw new KeyRefused(machine.name, why)
  }

  /** Checks token, machine and key again: they may have changed since the bundle was begun. */
  #requireStill(
    record: MachineRecord,
    who: TokenHolder,
    { key, fingerprint }: { readonly key: string; readonly fingerprint: string },
    reports: Report[],
  ): void {
    const { tokens, machineOf } = this.#needs
    const { token } = who
    this.#refuseSpent(record, who, key, reports)
    tokens.goodIn(record, token.hash)
    const machine = machineOf(token.machine)
    if (machine === undefined) throw new UnknownToken() // it was taken out of its site
    const own = record.keys().find(key => key.fingerprint === fingerprint)
    this.#refuseClosed(record, { who, machine, own }, reports)
    const isGood = trustOf(machine).level === 'L1' ? own?.state !== 'rejected' : own?.state === 'approved'
    if (isGood) return
    const why = `its key ${fingerprint} is ${own?.state ?? 'forgotten'}`
    const text = `${machine.name} at ${who.address} gets no bundle: ${why} since it asked`
    reports.push(() => this.#needs.alarms.raise(alarmOf(who, 'refused', text)))
    throw new KeyRefused(machine.name, why)
  }

  /**
   * Refuses a boot that got its token while its machine was open, and is not the one that it was open for: an operator closed
   * it, its time is over, or another boot had it. A key that was approved in this boot has had it.
   */
  #refuseClosed(
    record: MachineRecord,
    {
      who,
      machine,
      own,
    }: { readonly who: TokenHolder; readonly machine: Machine; readonly own: MachineKey | undefined },
    reports: Report[],
  ): void {
    const { reopenings } = this.#needs
    const { boot } = who.token
    const last = record.lastUsedBoot()
    const isReboot = last?.readyAt !== undefined && last.boot !== boot
    if (!isReboot || trustOf(machine).reboot !== 'approve') return
    if (own?.state === 'approved' && own.boot === boot) return
    if (own?.state === 'rejected' || reopenings.isOpen(record, boot)) return
    const why =
      `it was ready in boot ${last.boot}, and boot ${boot} is not open any more. ` +
      `If that is the machine:  pilotlight machines reopen ${machine.name}  and switch it off and on`
    const text = `${machine.name} at ${who.address} gets no bundle: ${why}`
    reports.push(() => this.#needs.alarms.raise(alarmOf(who, 'refused', text)))
    throw new KeyRefused(machine.name, why)
  }

  /** Refuses a boot whose bundle was given: but to the same key of a machine that is installed. */
  #refuseSpent(record: MachineRecord, who: TokenHolder, key: string | undefined, reports: Report[]): void {
    if (record.boot(who.token.boot)?.bundleAt === undefined || isRepeat(record, who, key)) return
    this.#replayed(who, reports)
    throw new TokenReplayed(who.machine.name)
  }

  #replayed(who: TokenHolder, reports: Report[]): void {
    const { token, machine, address } = who
    const text = `${address} asked for the bundle of ${machine.name} a second time in boot ${token.boot}`
    reports.push(() => this.#needs.alarms.raise(alarmOf(who, 'replayed', text)))
  }

  /** Runs a step on a machine's record. Its reports are sent, and its refusal is thrown, once the record is on disk. */
  async #step<T>(machine: string, step: Step<T>): Promise<T> {
    const { done, reports } = await this.#needs.store.change(machine, record => {
      const toReport: Report[] = []
      return { done: refusalOf(() => step(record, toReport)), reports: toReport }
    })
    for (const report of reports) report()
    if ('refusal' in done) throw done.refusal
    return done.value
  }
}

/**
 * Says whether an installed machine asks again for what its boot was given: with the same token, for the same key. A power
 * loss may have taken the bundle before it was on the disk. Sealed to that key, it discloses nothing new.
 */
function isRepeat(record: MachineRecord, { token }: TokenHolder, key: string | undefined): boolean {
  const boot = record.boot(token.boot)
  if (boot?.bundleAt === undefined || boot.token !== token.hash || boot.key !== key) return false
  return record.disk().installs.some(({ confirmedAt }) => confirmedAt !== undefined)
}

/** The keys that a machine has: the one that is approved, and that of its last bundle, which is not kept where the wire is trusted (L1). */
function ownKeysOf(record: MachineRecord, machine: Machine, now: number): MachineKey[] {
  const known = record.keys()
  const approved = known.filter(({ state }) => state === 'approved')
  const { boot, key: recipient, fingerprint, port, bundleAt = now } = record.lastUsedBoot() ?? {}
  const isKept = known.some(it => it.fingerprint === fingerprint)
  if (boot === undefined || recipient === undefined || fingerprint === undefined || isKept) return approved
  const { name, address, macs } = machine
  const seen = { boot, address, mac: macs[0] ?? '', ...(port !== undefined && { port }), seenAt: bundleAt }
  const why = 'its last bundle was sealed to it'
  return [...approved, { machine: name, fingerprint, recipient, state: 'approved', why, ...seen }]
}

/** Why a key waits, and the command that approves it, which is never cut: an event holds 300 characters. */
export function heldText({
  machine,
  fingerprint,
  address,
  port,
  why,
}: Pick<MachineKey, 'machine' | 'fingerprint' | 'address' | 'port' | 'why'>): string {
  const place = port === undefined ? address : `${address}, port ${port}`
  const rest = ` If it is the machine:  pilotlight machines approve ${machine} --fingerprint ${fingerprint}`
  return cleanText(`${machine} at ${place} waits: ${why}.`, LIMITS.eventText - rest.length) + rest
}
