// The certificates of all listeners: the operator's files where there are some, else those of our own authority.

import type { Parts } from '../process/parts.ts'
import { endOf, IssuedCertificate, TlsFiles, type CertificateSource, type TlsPaths } from './certificates.ts'

/** What the certificates of the listeners need: the settings that name them. */
export type ListenerCertificateNeeds = {
  readonly statePath: string
  readonly agent: { readonly host: string }
  readonly admin: { readonly host: string; readonly tls: TlsPaths | undefined } | undefined
  readonly web: TlsPaths | undefined
  readonly rpc: { readonly tls: TlsPaths } | undefined
}

/** The certificate of each listener. */
export type ListenerCertificates = {
  /** Undefined where the boot listener speaks plain HTTP. */
  readonly boot: CertificateSource | undefined
  readonly agent: CertificateSource
  /** Undefined where administration is on the boot listener. */
  readonly admin: CertificateSource | undefined
  /** Undefined where gRPC is off. */
  readonly rpc: CertificateSource | undefined
}

/**
 * Reads or issues the certificates of all listeners that have one.
 *
 * @param report gets the reason why a certificate could not be renewed
 * @throws {BadSettings} when a file of the operator cannot be used; {BrokenState} when our own authority cannot be read
 */
export async function openListenerCertificates(
  { statePath, agent, admin, web, rpc }: ListenerCertificateNeeds,
  report: (problem: Error) => void,
  parts: Parts,
): Promise<ListenerCertificates> {
  const add = <S extends CertificateSource>(name: string, source: S) =>
    parts.add(`the certificate of ${name}`, source)
  const issued = (name: string, host: string) => IssuedCertificate.of({ statePath, host, name }, report)
  return {
    boot: web && add('HTTPS', new TlsFiles(web, report)),
    rpc: rpc && add('gRPC', new TlsFiles(rpc.tls, report)),
    agent: add('the agents', await issued('agent', agent.host)),
    admin:
      admin &&
      add('administration', admin.tls ? new TlsFiles(admin.tls, report) : await issued('admin', admin.host)),
  }
}

/** Looks for changes of all certificates now. */
export function reloadAll(certificates: ListenerCertificates): void {
  for (const source of Object.values(certificates)) source?.reload()
}

/** Milliseconds since 1970 at which the certificate of each listener ends, by the listener's name. */
export function endsOf(certificates: ListenerCertificates): Record<string, number> {
  return Object.fromEntries(
    Object.entries(certificates).flatMap(([name, source]) =>
      source ? [[name, endOf(source.material)]] : [],
    ),
  )
}
