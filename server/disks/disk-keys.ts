// The keys of encrypted state partitions. The initrd that installs makes a key and puts it here before it writes, sealed like
// bundles. From then on it is the recovery key, which an administrator may see; and it is handed out to a machine that starts
// from its disk and shows what the disk has in clear: an age identity of its own, which no other disk has.

import type { DiskKeyHolder, RecoveryKey, Unlock } from '#model/disk-key.ts'
import type { Machine } from '#model/machine.ts'
import { DiskKeyRefused, NotUnlocked } from './errors.ts'
import type { Clients } from '../machines/clients.ts'
import type { Journal } from '../machines/journal.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { Clocks } from '../process/clock.ts'
import type { DiskKey, MachineRecords } from '../store/machine-records.ts'
import type { BootTokens } from '../agent/boot-tokens.ts'
import { Challenges, isSameAnswer, newAnswer } from '../agent/challenge.ts'
import { handedOutOf, keptOf, presentOf, whyKept } from '../store/disk-key-records.ts'
import type { TokenHolder } from '../agent/token-holder.ts'
import { refusalOf } from '../store/refusable.ts'
import { requireRecipient, sealText } from '../agent/sealing.ts'

/** Keys of one boot: one, and another where its initrd began again. A third is refused: it could only push out the machine's own. */
const KEYS_A_BOOT = 2
/** How long an operator's permission waits for the machine, and how long it is good once the key was handed out. */
const PERMITTED_MS = 60 * 60_000
const AGAIN_MS = 60_000

/** What it needs from the service. */
export type DiskKeyNeeds = {
  readonly store: Pick<MachineRecords, 'change' | 'read'>
  readonly tokens: Pick<BootTokens, 'goodIn'>
  readonly journal: Pick<Journal, 'record' | 'macOf'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly clients: Pick<Clients, 'dhcp'>
  /** A machine as it is declared now. */
  readonly machineOf: (name: string) => Machine | undefined
  readonly clocks: Clocks
}

/** What the initrd that installs puts here. */
export type SentDiskKey = {
  /** The UUID that the LUKS2 header will have. */
  readonly uuid: string
  readonly secret: string
  /** The age recipient whose identity the disk has in clear. */
  readonly recipient: string
  readonly holder: DiskKeyHolder
}

/** An operator's permission to hand out keys. */
type Permission = {
  /** The LUKS UUIDs that it is for. */
  readonly uuids: readonly string[]
  /** By the steady clock, and in milliseconds since 1970 as it was given. */
  readonly ends: number
  readonly until: number
}

/** Keys of disks: kept, shown, and handed out. */
export class DiskKeys {
  readonly #needs: DiskKeyNeeds
  readonly #challenges = new Challenges<string>()
  /** Permissions for machines whose TPM holds the key. A restart ends them. */
  readonly #permitted = new Map<string, Permission>()
  /** When it was last written down that a machine waits for that permission, by the steady clock. */
  readonly #saidWaiting = new Map<string, number>()

  constructor(needs: DiskKeyNeeds) {
    this.#needs = needs
  }

  /**
   * Keeps the key of a disk that this boot was granted; on disk when it resolves. Again with the same key it changes nothing.
   *
   * @throws {DiskKeyRefused} 403, without a grant, for a UUID that has another key, and for a third key of one boot;
   * {BadRequest} 400, for no recipient
   */
  async keep({ machine, token, mac, address }: TokenHolder, sent: SentDiskKey): Promise<void> {
    const { uuid, secret, recipient, holder } = sent
    await requireRecipient(recipient)
    const { store, tokens, clocks, journal } = this.#needs
    const key: DiskKey = { uuid, secret, recipient, holder, boot: token.boot, at: clocks.wall() }
    const kept = await store.change(machine.name, record =>
      refusalOf(() => {
        tokens.goodIn(record, token.hash)
        const { installs } = record.disk()
        if (!installs.some(({ boot }) => boot === token.boot))
          throw new DiskKeyRefused(machine.name, 'this boot was granted no disk. Ask for a grant first')
        const before = record.diskKeys()
        const same = before.find(it => it.uuid === uuid)
        if (same !== undefined) {
          if (isSameAnswer(same.secret, secret) && same.recipient === recipient) return false
          throw new DiskKeyRefused(machine.name, `the server keeps another key for ${uuid}`)
        }
        if (before.filter(it => it.boot === token.boot).length >= KEYS_A_BOOT)
          throw new DiskKeyRefused(
            machine.name,
            `the server keeps ${KEYS_A_BOOT} keys of this boot. Switch the machine off and on to begin again`,
          )
        record.putDiskKeys(keptOf([key, ...before], record))
        return true
      }),
    )
    if ('refusal' in kept) throw kept.refusal
    if (!kept.value) return
    const how = holder === 'tpm' ? "the machine's TPM opens it" : 'the server hands it out at each boot'
    const text = `put the key of its encrypted state (LUKS ${uuid}) into the server's keeping; ${how}`
    const where = { mac, machine: machine.name, layer: 'http', boot: token.boot } as const
    journal.record({ ...where, kind: 'key', text, detail: { from: address } })
  }

  /**
   * A challenge for a disk, sealed to the identity that the disk has in clear.
   *
   * @throws {DiskKeyRefused} 403
   */
  async offer(name: string, uuid: string, address: string): Promise<{ readonly challenge: string }> {
    const { address: home } = this.#require(name, address)
    const key = await this.#keyOf(name, uuid)
    this.#requirePermission(key, name, address)
    const answer = newAnswer()
    this.#challenges.keep(`${name} ${uuid}`, { address, home }, answer)
    return { challenge: await sealText(key.recipient, answer) }
  }

  /**
   * The key of a disk, sealed to the identity that the disk has in clear, for the answer to a challenge.
   *
   * @throws {DiskKeyRefused} 403
   */
  async redeem(
    name: string,
    uuid: string,
    address: string,
    answer: string,
  ): Promise<{ readonly key: string }> {
    const machine = this.#require(name, address)
    const key = await this.#keyOf(name, uuid)
    this.#requirePermission(key, name, address)
    const id = `${name} ${uuid}`
    const known = this.#challenges.of(id, address)
    const mac = this.#needs.journal.macOf(machine)
    const where = { mac, machine: name, layer: 'http', detail: { from: address } } as const
    if (!known.some(one => isSameAnswer(one, answer))) {
      const text = `${address} answered the challenge for the disk of ${name} wrongly (LUKS ${uuid})`
      this.#needs.alarms.raise({ ...where, kind: 'refused', text })
      throw new DiskKeyRefused(name, 'that is not what was sealed to this disk. Ask for another challenge')
    }
    this.#challenges.forget(id)
    const now = this.#needs.clocks.steady()
    const permission = this.#permitted.get(name)
    if (permission !== undefined)
      this.#permitted.set(name, { ...permission, ends: Math.min(permission.ends, now + AGAIN_MS) })
    const sealed = await sealText(key.recipient, key.secret)
    const text = `was handed the key of its disk (LUKS ${uuid})`
    this.#needs.journal.record({ ...where, kind: 'unlock', text })
    return { key: sealed }
  }

  /**
   * An operator has the server hand the key out, within an hour, to a machine whose TPM does not give it: those of the disks that
   * it has now, and none that is made later.
   *
   * @throws {DiskKeyRefused} 403, where there is no key, or none that is handed out
   */
  async permit({ name, macs }: Machine, who: string): Promise<Unlock> {
    const { store, clocks } = this.#needs
    const { uuids, why } = await store.read(name, record => {
      const [latest] = record.diskKeys()
      return { uuids: handedOutOf(record).map(({ uuid }) => uuid), why: latest && whyKept(latest, record) }
    })
    if (uuids.length === 0) throw why === undefined ? noKey(name) : new DiskKeyRefused(name, why)
    const until = clocks.wall() + PERMITTED_MS
    this.#permitted.set(name, { uuids, ends: clocks.steady() + PERMITTED_MS, until })
    const [mac = ''] = macs
    const text = `${who} allowed the server to hand out the key of its disk, for an hour (LUKS ${uuids.join(', ')})`
    this.#needs.journal.record({ mac, machine: name, layer: 'http', kind: 'unlock', text })
    return { machine: name, until }
  }

  /**
   * An operator takes the permission back; gives what it was. What was handed out already is known to the machine.
   *
   * @throws {NotUnlocked} 404, where there is none, or its time is over
   */
  revoke({ name, macs }: Machine, who: string): Unlock {
    const permission = this.#permitted.get(name)
    this.#permitted.delete(name)
    if (permission === undefined || permission.ends <= this.#needs.clocks.steady())
      throw new NotUnlocked(name)
    const [mac = ''] = macs
    const text = `${who} took back the permission to hand out the key of its disk`
    this.#needs.journal.record({ mac, machine: name, layer: 'http', kind: 'unlock', text })
    return { machine: name, until: permission.until }
  }

  /**
   * The recovery keys of a machine, the latest first. That they were seen is in the journal.
   *
   * @throws {DiskKeyRefused} 403, where there is none
   */
  async show({ name, macs }: Machine, who: string): Promise<RecoveryKey[]> {
    const shown = await this.#needs.store.read(name, record => {
      const present = presentOf(record)
      return record.diskKeys().map(key => viewOf(key, key.uuid === present?.uuid))
    })
    if (shown.length === 0) throw noKey(name)
    const [mac = ''] = macs
    const uuids = shown.map(({ uuid }) => uuid).join(', ')
    const text = `${who} was shown the recovery key of its disk (LUKS ${uuids})`
    this.#needs.journal.record({ mac, machine: name, layer: 'http', kind: 'unlock', text })
    return shown
  }

  /** The machine, when the sender is at its address; where DHCP shows no address the disk alone says whose it is. */
  #require(name: string, address: string): Machine {
    const machine = this.#needs.machineOf(name)
    const isThere = this.#needs.clients.dhcp === 'off' || machine?.address === address
    if (machine !== undefined && isThere) return machine
    throw new DiskKeyRefused(name, `${address} is not the address of a machine that is declared by this name`)
  }

  async #keyOf(name: string, uuid: string): Promise<DiskKey> {
    const { key, why } = await this.#needs.store.read(name, record => {
      const found = record.diskKeys().find(it => it.uuid === uuid)
      return { key: found, why: found && whyKept(found, record) }
    })
    if (key === undefined) throw new DiskKeyRefused(name, `the server keeps no key for LUKS ${uuid}`)
    if (why !== undefined) throw new DiskKeyRefused(name, why)
    return key
  }

  #requirePermission({ holder, uuid }: DiskKey, name: string, address: string): void {
    if (holder === 'server') return
    const now = this.#needs.clocks.steady()
    const permission = this.#permitted.get(name)
    if (permission !== undefined && permission.ends > now && permission.uuids.includes(uuid)) return
    if ((this.#saidWaiting.get(name) ?? -Infinity) + PERMITTED_MS <= now) {
      this.#saidWaiting.set(name, now) // of declared machines alone
      const mac = this.#needs.machineOf(name)?.macs[0] ?? ''
      const text = `waits for the key of its disk (LUKS ${uuid}), which its TPM does not give. To let it have it:  pilotlight disk unlock ${name}`
      const where = { mac, machine: name, layer: 'http', detail: { from: address } } as const
      this.#needs.journal.record({ ...where, kind: 'unlock', text })
    }
    throw new DiskKeyRefused(
      name,
      `its TPM is to give the key, and no operator allowed the server to.  pilotlight disk unlock ${name}  allows it for an hour`,
    )
  }
}

function noKey(name: string): DiskKeyRefused {
  return new DiskKeyRefused(name, 'the server keeps none: its disk is not encrypted, or was wiped')
}

function viewOf({ uuid, secret, holder, at, boot }: DiskKey, isPresent: boolean): RecoveryKey {
  return { uuid, key: secret.replace(/(.{4})(?=.)/g, '$1-'), holder, at, boot, isPresent }
}
