// The keys that machines show to get their bundles, and the machines whose next key is taken as a first one.

/** `retired`: it was approved, and another one was approved after it, or an operator opened the machine. */
export type KeyState = 'pending' | 'approved' | 'rejected' | 'retired'

/** A key that a machine showed, as it is kept. */
export type MachineKey = {
  readonly machine: string
  /** `SHA256:` and the digest in base64 of the age recipient; at L3, of the TPM's attestation key in hexadecimal. */
  readonly fingerprint: string
  /** The age recipient that it was last shown with. */
  readonly recipient: string
  readonly state: KeyState
  /** The boot, the address, the MAC and the switch port where it was last seen. */
  readonly boot: string
  readonly address: string
  readonly mac: string
  readonly port?: string
  /** Why it is in its state, as a clause. */
  readonly why: string
  /** Milliseconds since 1970. */
  readonly seenAt: number
  readonly decidedAt?: number
  /** The operator's name, or `site` when the site's policy decided. */
  readonly decidedBy?: string
}

/** A key as the API shows it: times in ISO 8601. */
export type MachineKeyView = Omit<MachineKey, 'seenAt' | 'decidedAt'> & {
  readonly seen: string
  readonly decided?: string
}

/** A machine whose next boot an operator opened, as the API shows it: times in ISO 8601. */
export type ReopeningView = {
  readonly machine: string
  readonly who: string
  readonly at: string
  readonly until: string
}
