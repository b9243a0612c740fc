// A certificate authority for tests, which issues what a site's own would.

import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const HOUR_MS = 3_600_000

/** A certificate with its key, in files and as PEM. */
export type Issued = {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/** An authority whose files are in one directory. */
export type TestAuthority = {
  readonly caFile: string
  readonly ca: string
  /** Issues a certificate, into `<name>.crt` and `<name>.key`; one of an earlier time is overwritten. */
  issue(name: string, of?: { subject?: string; hosts?: readonly string[] }): Promise<Issued>
}

/** Makes an authority in `directory`, which is made when it is not there. */
export async function testAuthority(directory: string, file = 'ca.crt'): Promise<TestAuthority> {
  mkdirSync(directory, { recursive: true })
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=authority of ${directory.slice(-20).replaceAll(/[^a-z0-9]/gi, ' ')}`,
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + 24 * HOUR_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  })
  const ca = authority.toString('pem')
  const caFile = join(directory, file)
  writeFileSync(caFile, ca)
  let serial = 1
  return {
    ca,
    caFile,
    async issue(name, { subject = `CN=${name}`, hosts = ['127.0.0.1', 'localhost'] } = {}) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: (serial += 1).toString(16).padStart(2, '0'),
        subject,
        issuer: authority.subject,
        notBefore: new Date(Date.now() - HOUR_MS),
        notAfter: new Date(Date.now() + HOUR_MS),
        signingAlgorithm: ALGORITHM,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.ExtendedKeyUsageExtension([
            x509.ExtendedKeyUsage.serverAuth,
            x509.ExtendedKeyUsage.clientAuth,
          ]),
          new x509.SubjectAlternativeNameExtension(
            hosts.map(host => ({ type: isIP(host) === 0 ? 'dns' : 'ip', value: host })),
          ),
        ],
      })
      const cert = certificate.toString('pem')
      const key = pemOf(await webcrypto.subtle.exportKey('pkcs8', own.privateKey))
      const certFile = join(directory, `${name}.crt`)
      const keyFile = join(directory, `${name}.key`)
      writeFileSync(keyFile, key)
      writeFileSync(certFile, cert)
      return { cert, key, certFile, keyFile }
    },
  }
}

function pemOf(key: ArrayBuffer): string {
  const lines = Buffer.from(key)
    .toString('base64')
    .replaceAll(/.{1,64}/g, '$&\n')
  return `-----BEGIN PRIVATE KEY-----\n${lines}-----END PRIVATE KEY-----\n`
}
