// The objects that Pilotlight keeps, as plain data: what the site file compiles to, what `curl /profiles`
// shows, what a Matchbox data directory holds. Types only, so anyone may import them.

/** What a machine tells of itself (`mac`, `uuid`, `serial`, ...). */
export type Labels = Readonly<Record<string, string>>

/** What a group wants of a machine, by label. */
export type Selector = Readonly<Record<string, Requirement>>

/** What one label must be: a text is compared as Matchbox does, of a list any item is enough. */
export type Requirement = string | Condition | readonly (string | Condition)[]

/** Requirements that Matchbox has no words for. */
export type Condition =
  /** `*` stands for any text, `?` for one character. */
  | { readonly glob: string }
  /** A network, or one address of IPv4 or IPv6. */
  | { readonly cidr: string }
  /** Whether the label is there, with a text. */
  | { readonly present: boolean }

/** What a machine is for. */
export type Role = 'controller' | 'compute'

/** Hardware that somebody declared: known by MAC or UUID, with the address kept for it. */
export type Machine = {
  readonly name: string
  /** Lower case, colons. */
  readonly macs: readonly string[]
  /** Lower case, as SMBIOS tells it. */
  readonly uuid?: string
  readonly role: Role
  /** IPv4, the reservation that DHCP gives. */
  readonly address: string
  /**
   * The fingerprint of its TPM's attestation key, `SHA256:` and 64 lower-case digits. Where it is given, a machine that
   * shows another TPM does not pass for this one.
   */
  readonly tpm?: string
  /**
   * What its TPM must have measured of its firmware at L3: `SHA256:` and the digest of PCRs 0 to 7 in 64 lower-case digits,
   * as the event of its bundle shows it.
   */
  readonly firmware?: string
  readonly labels: Labels
  /** What must be shown before the machine gets its bundle; `defaultTrust` where it is not given. */
  readonly trust?: MachineTrust
}

/** What a machine must show before it gets its bundle. docs/security.md says what each level defends against. */
export type MachineTrust = {
  /** `L1`: the wire is trusted. `L2`: the bundle is sealed to a key that was approved. `L3`: a TPM vouches for that key. */
  readonly level: 'L1' | 'L2' | 'L3'
  /** Who approves a machine's first key: an operator, no one (trust on first use, pinned from then on), or conditions. */
  readonly approve: 'operator' | 'first-boot' | ApprovalPolicy
  /**
   * A machine that was `ready` and boots by firmware again: `same-key`: it must show the key that is pinned; `approve`: an
   * operator opens that boot; `auto`: it may, with any key.
   */
  readonly reboot: 'same-key' | 'approve' | 'auto'
  /** How long a machine may wait for its approval, in minutes. */
  readonly deadlineMinutes: number
}

/** A first key is approved when all of the conditions that are given hold. */
export type ApprovalPolicy = {
  /** The label `rack` that the machine is declared with. */
  readonly racks?: readonly string[]
  /** The switch port that the relay of DHCP named in this boot, for example `circuit=ge-0/0/7 remote=tor-1`. */
  readonly ports?: readonly string[]
  /** The label `serial` that the machine is declared with. */
  readonly serials?: readonly string[]
}

/** What a machine boots: kernel, initrds, arguments, and the Ignition template by file name (Matchbox's JSON). */
export type Profile = {
  readonly id: string
  readonly name?: string
  readonly boot?: {
    readonly kernel?: string
    readonly initrd?: readonly string[]
    readonly args?: readonly string[]
  }
  readonly ignition_id?: string
  readonly generic_id?: string
  readonly cloud_id?: string
}

/** Selector to profile, with metadata for the templates (Matchbox's JSON, and `priority`). */
export type Group = {
  readonly id: string
  readonly name?: string
  readonly profile: string
  readonly selector?: Selector
  /** Groups of a greater one are tried first, whatever they ask for; 0 when it is not given. */
  readonly priority?: number
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** The network that Pilotlight serves addresses and loaders on. Addresses are dotted IPv4. */
export type ProvisioningNetwork = {
  /** CIDR, for example `10.20.0.0/24`. */
  readonly subnet: string
  readonly gateway: string
  /** `full`: we give addresses; `proxy`: only the loader; `off`: DHCP is silent. */
  readonly dhcp: 'full' | 'proxy' | 'off'
  /** Inclusive bounds for machines without a reservation. */
  readonly pool: { readonly first: string; readonly last: string }
  readonly dns: readonly string[]
}

/** All that one site file makes the server know, replaced as a whole by `PUT /v1/sites/{name}`. */
export type SiteObjects = {
  readonly network: ProvisioningNetwork
  readonly machines: readonly Machine[]
  readonly profiles: readonly Profile[]
  readonly groups: readonly Group[]
}

/** A file that a machine fetches once in a boot. */
export type BundleFile = {
  /** Absolute path on the machine. */
  readonly path: string
  /** Permission bits, for example 0o600. */
  readonly mode: number
  readonly content: string
}

/**
 * A certificate that a machine is given for a key that it makes itself and that never leaves it. All that the
 * certificate says is here: of the machine's signing request only the public key counts.
 */
export type CertificateRequest = {
  /** For example `kubelet-client-ctl-1`; the name of the request between machine and server. */
  readonly name: string
  /** Absolute path on the machine of the private key, which gets mode 0600. */
  readonly key: string
  /** Absolute path on the machine of the certificate, which gets mode 0644. */
  readonly certificate: string
  /** Which signer of the site's authority signs it, for example `ca` or `etcd-ca`. */
  readonly signer: string
  readonly commonName: string
  /** The Kubernetes group of a client. */
  readonly organization?: string
  readonly purposes: readonly ('server' | 'client')[]
  readonly dns: readonly string[]
  /** IPv4 or IPv6. */
  readonly addresses: readonly string[]
  /** Days from the signature to the end. */
  readonly days: number
}

/** A file whose content is one of the secrets of the site's authority; mode 0600. */
export type SecretFile = {
  /** Absolute path on the machine. */
  readonly path: string
  /** The name of the secret, for example `service-account.key`. */
  readonly secret: string
  /** It changes while the machine runs, and is given again when the machine renews its certificates. */
  readonly renews?: boolean
}

/** What one machine gets for its place in a site: plain files, and what the server signs and adds when it asks. */
export type BundleDescription = {
  /** The site whose authority signs the requests and has the secrets; not needed where there are none. */
  readonly site?: string
  readonly files: readonly BundleFile[]
  readonly requests: readonly CertificateRequest[]
  readonly secrets: readonly SecretFile[]
}

/** What signs for a site, and what only its controllers may hold. The server keeps it sealed and gives it to no one. */
export type SiteAuthority = {
  /** Certificate and private key (PEM) of each signer, by name. Only certificates signed with them leave the server. */
  readonly signers: Readonly<Record<string, { readonly certificate: string; readonly key: string }>>
  /** Contents of files, by name. They leave the server in the bundles that name them. */
  readonly secrets: Readonly<Record<string, string>>
  /** The server's own part, never given: it makes and renews them (server/agent/signers.ts). */
  readonly kubelets?: { readonly client: KubeletSigner; readonly server: KubeletSigner }
}

/** A signer of kubelet certificates, PEM. */
export type KubeletSigner = {
  readonly certificate: string
  readonly key: string
  /** Certificates of its predecessors whose time is not over: what they signed is still trusted. */
  readonly earlier: readonly string[]
}

/** One thing that happened in one boot of one machine. */
export type BootEvent = {
  /** Grows by one an event, over all machines: the cursor of `GET /v1/events?after=`. */
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** The boot this belongs to, for example `b-1f3a`. */
  readonly boot: string
  readonly mac: string
  /** The inventory's name, when the machine is known. */
  readonly machine?: string
  readonly layer: 'dhcp' | 'tftp' | 'http' | 'os'
  /** `discover offer request ack nak read sent script kernel initrd rootfs config bundle booted ready failed ...` */
  readonly kind: string
  /** A sentence for a person. */
  readonly text: string
  readonly detail: Readonly<Record<string, string | number>>
}
