// What `plan` says of trust: what must be shown before a machine gets its bundle, what that keeps out, and what it does not.

import type { MachineTrust } from '#model/machine.ts'
import type { MachineRole } from '#model/role.ts'
import type { Site } from '../site/site.ts'

/** Sentences for a person, in the order in which a reader needs them. */
export function trustSentences({ trust, machines, network }: Site): string[] {
  const roles = [...new Set(machines.map(({ role }) => role))]
  return [
    LEVELS[trust.level],
    ...(trust.level === 'L1'
      ? roles.map(role => `a false ${role} machine would obtain: ${OBTAINS[role]}`)
      : []),
    ...(trust.level === 'L3' ? [declaredOf(machines)] : []),
    approvalOf(trust),
    ...conditionsOf(trust, machines),
    rebootOf(trust),
    ...(network.dhcp === 'off' ? [WITHOUT_DHCP] : []),
  ]
}

const LEVELS: Readonly<Record<MachineTrust['level'], string>> = {
  L1: 'L1: any host that sends with the address of a booting machine gets its bundle; keeps out other addresses and second requests, not a host that copies the MAC',
  L2: 'L2: a bundle is sealed to a key that the machine made and that was approved; keeps out hosts that copy MAC and address, except for a first key that no one compares',
  L3: "L3: the machine's TPM vouches for its key; keeps out every other machine once its TPM is approved; does not say what runs on it",
}

const OBTAINS: Readonly<Record<MachineRole, string>> = {
  controller:
    'the service account key, the encryption key of Secrets, and the keys that sign kubelet certificates: in effect the cluster',
  compute: "a kubelet's identity: the Secrets and pods of its node",
}

const REBOOTS: Readonly<Record<MachineTrust['reboot'], string>> = {
  'same-key': 'a machine that was ready and boots again must show the same key, or waits for an operator',
  approve: 'a machine that was ready and boots again waits for  pilotlight machines reopen NAME',
  auto: 'a machine that was ready and boots again gets a bundle with any key: what boots in its place does, too',
}

function rebootOf({ level, reboot }: MachineTrust): string {
  // At L3 the key is derived in the TPM, and is the same in each boot (docs/security.md, "What a TPM proves").
  return level === 'L2' && reboot === 'same-key' ? `${REBOOTS[reboot]}; ${NO_KEY_IS_KEPT}` : REBOOTS[reboot]
}

const NO_KEY_IS_KEPT =
  'at L2 a machine keeps its key in RAM, so each reboot waits for an operator (reboot: same-key without that takes L3)'

const WITHOUT_DHCP =
  'DHCP is not served here: an operator approves every key but that of a declared TPM, whatever the policy says'

function declaredOf(machines: Site['machines']): string {
  const declared = machines.filter(({ tpm }) => tpm !== undefined).map(({ name }) => name)
  if (declared.length === 0) return 'no machine is declared with its TPM (tpm: SHA256:…)'
  return `declared with their TPM, which no one has to approve: ${declared.join(', ')}`
}

/** A warning where no machine of the site can meet the conditions that its labels decide on. */
function conditionsOf({ level, approve }: MachineTrust, machines: Site['machines']): string[] {
  if (level === 'L1' || typeof approve === 'string') return []
  const { racks, serials } = approve
  if (machines.some(({ labels }) => meets(racks, labels.rack) && meets(serials, labels.serial))) return []
  const asked = [racks && 'rack', serials && 'serial'].filter(label => label !== undefined).join(' and ')
  return [
    `warning: no machine of this site has the label ${asked} that this asks for, so every first key waits for an operator: give machines labels, or change trust.approve`,
  ]
}

/** A condition that is not given is met. */
function meets(wanted: readonly string[] | undefined, label: string | undefined): boolean {
  return wanted === undefined || (label !== undefined && wanted.includes(label))
}

function approvalOf({ level, approve, deadlineMinutes }: MachineTrust): string {
  if (level === 'L1') return 'no key is approved, and none is pinned'
  const waits = `it waits ${deadlineMinutes} min`
  if (approve === 'operator') return `an operator approves the first key of each machine; ${waits}`
  if (approve === 'first-boot') {
    return 'first-boot: the first key that a machine shows is trusted without a look, and pinned from then on'
  }
  const { racks, ports, serials } = approve
  const conditions = [
    racks && `rack ${racks.join(' or ')}`,
    ports && `switch port ${ports.join(' or ')}`,
    serials && `serial number ${serials.join(' or ')}`,
  ].filter(text => text !== undefined)
  const labels = [racks && 'rack', serials && 'serial number'].filter(text => text !== undefined)
  const declared =
    labels.length === 0
      ? ''
      : `; ${labels.join(' and ')} are what the site file declares, not what a machine shows`
  return `a first key is approved for ${conditions.join(' and ')}${declared}; any other asks an operator, and ${waits}`
}
