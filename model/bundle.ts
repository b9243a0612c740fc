// What one machine gets for its place in a site, and what signs for the site.

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

/** Until when the kubelets of a site can renew their certificates without this server, in ISO 8601. */
export type SiteSigning = {
  /** The fingerprint of the authority's `ca`: `SHA256:` and 64 hexadecimal digits. */
  readonly authority?: string
  /** By the controllers that have a bundle; left out when none has. */
  readonly ends?: string
  /** By controllers that get their bundle from now on. */
  readonly until?: string
}
