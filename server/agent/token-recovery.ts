// How an installed machine gets another token without booting from the network: its disk keeps the key that its bundle was
// sealed to, and the token of its config may be void by now.

import { hash, randomBytes } from 'node:crypto'
import type { Machine } from '#model/machine.ts'
import { UnknownToken, WrongAnswer } from './errors.ts'
import type { Clients } from '../machines/clients.ts'
import type { Journal } from '../machines/journal.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { Clocks, HostClock } from '../process/clock.ts'
import {
  confirmedIn,
  isGrantOf,
  type MachineBoot,
  type MachineRecord,
  type MachineRecords,
} from '../store/machine-records.ts'
import { Challenges, isSameAnswer, newAnswer } from './challenge.ts'
import { refusalOf } from '../store/refusable.ts'
import { sealText } from './sealing.ts'

/** What it needs from the service. */
export type RecoveryNeeds = {
  readonly store: Pick<MachineRecords, 'change' | 'read'>
  readonly journal: Pick<Journal, 'record' | 'macOf'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly clients: Pick<Clients, 'dhcp'>
  /** A machine as it is declared now. */
  readonly machineOf: (name: string) => Machine | undefined
  readonly clocks: Clocks
  readonly host: HostClock
}

/** What is sealed to a machine: `answer` for a token, `proof` of its disk. */
type Challenge = { readonly answer: string; readonly proof: string }

/** The boot that a machine had its bundle in, with the key of it. */
type KeyedBoot = MachineBoot & { readonly key: string }

/** Tokens for the keys of installed machines. */
export class TokenRecovery {
  readonly #needs: RecoveryNeeds
  readonly #challenges = new Challenges<Challenge>()

  constructor(needs: RecoveryNeeds) {
    this.#needs = needs
  }

  /**
   * A challenge for the key of a machine: of one that is installed, for the key that its last bundle was sealed to. And one that its disk
   * alone answers: sealed to that key, and to what an encrypted disk of it has in clear.
   *
   * @throws {UnknownToken} 401, for any other machine, and any other address: it says nothing of which
   */
  async offer(
    name: string,
    address: string,
  ): Promise<{ readonly challenge: string; readonly proof: string }> {
    const { store } = this.#needs
    const machine = this.#require(name, address)
    const known = await store.read(name, record => {
      const boot = keyedBootOf(record)
      return boot && { key: boot.key, ofDisk: recipientsOfDisk(record) }
    })
    if (known === undefined) throw new UnknownToken()
    const [answer, proof] = [newAnswer(), newAnswer()]
    this.#challenges.keep(name, { address, home: machine.address }, { answer, proof })
    return {
      challenge: await sealText(known.key, answer),
      proof: await sealText([known.key, ...known.ofDisk], proof),
    }
  }

  /**
   * Another token of the boot that the machine had its bundle in, in place of the one before, for what was sealed to its key.
   *
   * @throws {WrongAnswer} 403; {UnknownToken} 401, as `offer`
   */
  async redeem(name: string, address: string, answer: string): Promise<{ readonly token: string }> {
    const { store, clocks, host } = this.#needs
    const machine = this.#require(name, address)
    if (!this.#challenges.of(name, address).some(one => isSameAnswer(one.answer, answer))) {
      this.#report(
        machine,
        address,
        'refused',
        `${address} answered the challenge of ${name} wrongly, for a token`,
      )
      throw new WrongAnswer(name)
    }
    const token = randomBytes(32).toString('base64url')
    const hashed = hash('sha256', token)
    const now = clocks.wall()
    const done = await store.change(name, record =>
      refusalOf(() => {
        const boot = keyedBootOf(record)
        if (boot === undefined) throw new UnknownToken()
        if (boot.token !== undefined) record.forgetToken(boot.token)
        const made = { run: host.run, at: host.now() }
        const of = { ...boot, token: hashed, tokens: boot.tokens + 1 }
        record.addToken({ hash: hashed, machine: name, boot: boot.boot, until: now, made }, of)
        record.useToken(hashed, now)
        return boot
      }),
    )
    if ('refusal' in done) throw done.refusal
    this.#challenges.forget(name)
    const { boot } = done.value
    this.#report(machine, address, 'token', `showed the key of boot ${boot}, and has another token of it`)
    return { token }
  }

  /** Says whether an address gave what was sealed for it to the disk of a machine. That stays good: the same question may be asked again. */
  isProof(name: string, address: string, proof: string): boolean {
    return this.#challenges.of(name, address).some(one => isSameAnswer(one.proof, proof))
  }

  /** The machine, when the sender is at its address; where DHCP shows no address the key alone says whose it is. */
  #require(name: string, address: string): Machine {
    const machine = this.#needs.machineOf(name)
    const isThere = this.#needs.clients.dhcp === 'off' || machine?.address === address
    if (machine === undefined || !isThere) throw new UnknownToken()
    return machine
  }

  #report(machine: Machine, from: string, kind: 'refused' | 'token', text: string): void {
    const { journal, alarms } = this.#needs
    const mac = journal.macOf(machine)
    const event = { mac, machine: machine.name, layer: 'http', text, detail: { from } } as const
    if (kind === 'refused') alarms.raise({ ...event, kind })
    else journal.record({ ...event, kind })
  }
}

/** Says whether a machine keeps a key on its disk: it is installed, and its last bundle was sealed to one. */
export function keepsKey(record: Pick<MachineRecord, 'disk' | 'lastUsedBoot'>): boolean {
  return confirmedIn(record.disk()) !== undefined && record.lastUsedBoot()?.key !== undefined
}

/** The boot whose key an installed machine may show: the last that had a bundle, unless an operator rejected its key. */
export function keyedBootOf(record: MachineRecord): KeyedBoot | undefined {
  if (confirmedIn(record.disk()) === undefined) return undefined
  const boot = record.lastUsedBoot()
  if (boot?.key === undefined) return undefined
  const isRejected = record.keys().some(({ fingerprint, state }) => {
    return fingerprint === boot.fingerprint && state === 'rejected'
  })
  return isRejected ? undefined : { ...boot, key: boot.key }
}

/** What the encrypted disk that a machine is installed on has in clear: an initrd shows it without opening the disk. */
function recipientsOfDisk(record: MachineRecord): string[] {
  const confirmed = confirmedIn(record.disk())
  if (confirmed === undefined) return []
  return record.diskKeys().flatMap(key => (isGrantOf(confirmed, key.boot) ? [key.recipient] : []))
}
