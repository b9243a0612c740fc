// Who gets the one-time token that goes into a machine's Ignition config: the machine itself, once its boot may go on.

import type { Machine } from '#model/machine.ts'
import { RebootHeld, RebootTooLate, StillStarting } from './errors.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { Clients } from '../machines/clients.ts'
import type { CurrentBoot, Journal } from '../machines/journal.ts'
import type { BootTokens, Reboot } from './boot-tokens.ts'
import { objectionTo, type Sender } from './proof.ts'
import { trustOf } from './trust.ts'
import type { Waits } from './waits.ts'

/** What `ConfigTokens` needs from the service. */
export type ConfigTokenNeeds = {
  readonly tokens: Pick<BootTokens, 'mint' | 'isReboot' | 'rebootOf'>
  readonly clients: Pick<Clients, 'leaseAt' | 'dhcp' | 'isOpen'>
  readonly journal: Pick<Journal, 'record' | 'currentOf' | 'bootAt'>
  readonly alarms: Pick<Occurrences, 'raise'>
  /** Boots that wait for an operator. */
  readonly waits: Pick<Waits, 'isOver'>
  readonly hasBundle: (machine: string) => Promise<boolean>
  /** Says whether a machine has a system on its disk that is its own. */
  readonly isInstalled: (machine: string) => boolean
  /** Says whether an address is of the provisioner's own host. */
  readonly isOwn: (address: string) => boolean
}

/** A token, and the boot that it is for. */
export type GivenToken = { readonly token: string; readonly boot: string }

/** Gives the tokens of configs. */
export class ConfigTokens {
  readonly #needs: ConfigTokenNeeds

  constructor(needs: ConfigTokenNeeds) {
    this.#needs = needs
  }

  /**
   * The token of this boot, for the machine itself, on disk; undefined for any other sender, and when the boot has had all of
   * its tokens. A sender that asks in a machine's name without being the machine is an alarm, unless it is on this host, where
   * an operator looks at what would be served.
   *
   * @throws {StillStarting} 503, while the leases are not known; {RebootHeld} 503 and {RebootTooLate} 403, when the boot waits
   *   for an operator, or waited for too long
   */
  async give(machine: Machine, { address, labels }: Sender): Promise<GivenToken | undefined> {
    const { clients, tokens, alarms, isOwn } = this.#needs
    if (!clients.isOpen) throw new StillStarting()
    const { dhcp } = clients
    const boot = await this.#bootOf(machine, address)
    const objection = objectionTo(
      machine,
      { address, labels },
      { dhcp, lease: clients.leaseAt(address), boot },
    )
    let refusal = objection ?? 'it is in no boot'
    if (objection === undefined && boot !== undefined) {
      const reboot = await this.#holdReboot(machine, boot, address)
      const isElsewhere = dhcp === 'off' && address !== machine.address
      const place = { proven: dhcp !== 'off', isElsewhere, ...placeOf(boot) }
      const minted = await tokens.mint(machine.name, boot.id, place)
      if ('token' in minted) {
        if (minted.isFirst && reboot !== undefined) this.#recordReboot(machine, boot, reboot)
        return { token: minted.token, boot: boot.id }
      }
      refusal = minted.refused
    }
    if (!isOwn(address) || objection === undefined) {
      const text = `${address} asked for the config of ${machine.name} and got no token: ${refusal}`
      const mac = boot?.mac ?? machine.macs[0] ?? labels.mac ?? ''
      alarms.raise({
        kind: 'refused',
        mac,
        machine: machine.name,
        layer: 'http',
        reason: objection?.split(' ', 2).join(' ') ?? 'no more tokens', // how it begins is ours, the rest may be the sender's
        text,
        detail: { from: address },
      })
    }
    return undefined
  }

  /** Why the config of the machine's boot at an address will be held; nothing is awaited for the many first boots. */
  heldAt(machine: Machine, address: string): Promise<Error | undefined> | undefined {
    const boot = this.#bootOf(machine, address)
    return boot instanceof Promise
      ? boot.then(found => this.#heldOf(machine, found))
      : this.#heldOf(machine, boot)
  }

  #heldOf(machine: Machine, boot: CurrentBoot | undefined): Promise<Error | undefined> | undefined {
    if (boot === undefined || !this.#needs.tokens.isReboot(machine.name, boot.id)) return undefined
    return this.#rebootOf(machine, boot).then(({ held }) => held)
  }

  /**
   * A machine that gets a bundle and was ready boots again: by the site's policy the boot waits for an operator until the
   * site's deadline. 503, because Ignition asks again then; and 403 after it.
   */
  async #holdReboot(machine: Machine, boot: CurrentBoot, address: string): Promise<Reboot | undefined> {
    if (!this.#needs.tokens.isReboot(machine.name, boot.id)) return undefined
    const { reboot, held } = await this.#rebootOf(machine, boot)
    const { mac, id } = boot
    if (held !== undefined) {
      const { alarms } = this.#needs
      const where = { mac, machine: machine.name, layer: 'http', boot: id } as const
      alarms.raise({ kind: 'held', ...where, text: held.message, detail: { from: address } })
      throw held
    }
    return reboot
  }

  /** The boot as a second one, where it is one of a machine that gets a bundle; and why it is held, where it is. */
  async #rebootOf(
    machine: Machine,
    { id }: CurrentBoot,
  ): Promise<{ reboot?: Reboot; held?: RebootHeld | RebootTooLate }> {
    const { tokens, hasBundle, waits, isInstalled } = this.#needs
    const reboot = await tokens.rebootOf(machine.name, id)
    if (reboot === undefined || !(await hasBundle(machine.name))) return {}
    const { reboot: policy, deadlineMinutes } = trustOf(machine)
    // The disk of an installed machine keeps its key: a token is all that it gets without an operator, and any other key waits.
    if (policy !== 'approve' || reboot.isReopened || isInstalled(machine.name)) return { reboot }
    const isOver = waits.isOver(machine.name, id, deadlineMinutes)
    const held = isOver
      ? new RebootTooLate(machine.name, reboot.last, deadlineMinutes)
      : new RebootHeld(machine.name, reboot.last)
    return { reboot, held }
  }

  #bootOf(machine: Machine, address: string): CurrentBoot | undefined | Promise<CurrentBoot | undefined> {
    const { clients, journal } = this.#needs
    return clients.dhcp === 'off' ? journal.bootAt(machine, address) : journal.currentOf({ machine })
  }

  #recordReboot(machine: Machine, { mac, id }: CurrentBoot, reboot: Reboot): void {
    const { reboot: policy } = trustOf(machine)
    const isInstalled = this.#needs.isInstalled(machine.name)
    const how = reboot.isReopened
      ? 'an operator opened this boot'
      : policy === 'approve' && isInstalled
        ? 'it is installed, and must show the key that its disk keeps'
        : `the site's reboot policy is ${policy}`
    const text = `${machine.name} was ready in boot ${reboot.last} and boots by firmware again: ${how}`
    this.#needs.journal.record({ mac, machine: machine.name, layer: 'http', kind: 'reboot', text, boot: id })
  }
}

/** The switch port of a boot, and whether its DHCP packets came from more than one port. */
function placeOf({ port, ports = [] }: CurrentBoot): { port?: string; isPortMoved: boolean } {
  return { ...(port === undefined ? {} : { port }), isPortMoved: ports.length > 1 }
}
