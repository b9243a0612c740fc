// What machines must show before they get their bundles: the defaults, and the decision on a key.

import type { MachineKey } from '#model/machine-key.ts'
import type { ApprovalPolicy, Machine, MachineTrust } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'

/** How long a machine may wait for its approval, unless the site says otherwise. */
const DEADLINE_MINUTES = 60

/** What holds for a machine whose site says nothing. */
export const defaultTrust: MachineTrust = {
  level: 'L2',
  approve: 'operator',
  reboot: 'approve',
  deadlineMinutes: DEADLINE_MINUTES,
}

/** The trust that a machine's site asks for; the default when it names none. */
export function trustOf({ trust }: Pick<Machine, 'trust'>): MachineTrust {
  return trust ?? defaultTrust
}

/** The facts that decide on a key. */
export type KeyQuestion = {
  readonly machine: Machine
  readonly fingerprint: string
  /** All keys that the machine has shown. */
  readonly known: readonly MachineKey[]
  /** Another machine that the same key is approved for. Only a TPM's key can be that of two. */
  readonly elsewhere?: string | undefined
  readonly dhcp: ProvisioningNetwork['dhcp']
  /** The switch port of the boot that shows the key. */
  readonly port: string | undefined
  /** The boot that shows the key, and what is known of it: by default nothing that speaks against it. */
  readonly boot?: {
    readonly id: string
    /** DHCP of the boot came from more than one switch port. */
    readonly isPortMoved?: boolean
    /** A later boot of the machine has begun. */
    readonly isSuperseded?: boolean
    /** An operator opened it: a key that is pinned does not speak against this one. */
    readonly isReopened?: boolean
  }
}

/** The new state of a key, and the reason as a clause. */
export type KeyDecision = { readonly state: 'approved' | 'pending' | 'rejected'; readonly why: string }

/** Decides whether a machine with this key gets its bundle: yes, not before an operator says so, or never. */
export function decideKey(question: KeyQuestion): KeyDecision {
  const { machine, fingerprint, known, elsewhere, dhcp, port, boot } = question
  const { level, approve, reboot } = trustOf(machine)
  const own = known.find(key => key.fingerprint === fingerprint)
  const pinned = known.find(key => key.state === 'approved')
  if (own?.state === 'rejected') return { state: 'rejected', why: own.why }
  if (own?.state === 'approved' && level !== 'L1')
    return { state: 'approved', why: 'it is the key that is pinned' }
  if (level === 'L3') {
    // A quote proves this by itself, whatever DHCP shows.
    if (fingerprint === machine.tpm)
      return { state: 'approved', why: 'its TPM is the one that it is declared with' }
    if (elsewhere !== undefined) return { state: 'pending', why: `its TPM is the one of ${elsewhere}` }
    if (machine.tpm !== undefined) {
      const declared = shortened(machine.tpm)
      return { state: 'pending', why: `its TPM is not the one that it is declared with (${declared})` }
    }
  }
  // Without a lease nothing says that it is the machine that asks: no policy approves that.
  if (dhcp === 'off') {
    const why = 'DHCP is not served here, so nothing but its own request says which machine it is'
    return own?.state === 'approved' ? { state: 'approved', why: own.why } : { state: 'pending', why }
  }
  if (level === 'L1') return { state: 'approved', why: 'the wire is trusted (L1)' }
  // From here on it is the site's policy that approves, and that holds for the machine's present boot only.
  if (boot?.isSuperseded === true) return { state: 'pending', why: 'a later boot of the machine has begun' }
  const isInSameBoot = pinned !== undefined && pinned.boot === boot?.id
  if (pinned !== undefined && (boot?.isReopened !== true || isInSameBoot)) {
    if (reboot === 'auto' && !isInSameBoot)
      return { state: 'approved', why: "it is another key than before, and the site's reboot policy is auto" }
    const since = new Date(pinned.decidedAt ?? pinned.seenAt).toISOString().slice(0, 10)
    return {
      state: 'pending',
      why: `it is not the key that was approved on ${since} (${shortened(pinned.fingerprint)})`,
    }
  }
  if (approve === 'operator')
    return { state: 'pending', why: 'an operator approves the first key of a machine here' }
  if (approve === 'first-boot') {
    return {
      state: 'approved',
      why: 'the first key that the machine showed is trusted (first-boot), and pinned',
    }
  }
  if (approve.ports !== undefined && boot?.isPortMoved === true)
    return { state: 'pending', why: 'DHCP of this boot came from more than one switch port' }
  const failing = failingCondition(approve, machine, port)
  if (failing !== undefined) return { state: 'pending', why: failing }
  return { state: 'approved', why: 'it meets the conditions of the site, and is pinned' }
}

/** A fingerprint for a sentence that has another one: of 64 digits, the first 16. */
function shortened(fingerprint: string): string {
  return fingerprint.length > 60 ? `${fingerprint.slice(0, 'SHA256:'.length + 16)}…` : fingerprint
}

function failingCondition(
  { racks, ports, serials }: ApprovalPolicy,
  { labels }: Machine,
  port: string | undefined,
): string | undefined {
  const { rack = 'none', serial = 'none' } = labels
  if (racks !== undefined && !racks.includes(rack)) return `its rack, ${rack}, is not approved by the site`
  if (serials !== undefined && !serials.includes(serial)) {
    return `its serial number, ${serial}, is not approved by the site`
  }
  if (ports !== undefined && !ports.includes(port ?? '')) {
    return `its switch port, ${port ?? 'which no relay reported'}, is not approved by the site`
  }
  return undefined
}
