// Kubeconfigs: who a client is, and where it finds the API.

import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { stringify } from 'yaml'
import { replaceFile } from '#host/replace-file.ts'
import type { KeyPair } from '#host/x509.ts'
import type { Pki } from './pki.ts'

/** Gives a kubeconfig (YAML) with everything inside it, for the client `user` of `server` (a URL). */
export function renderKubeconfig(server: string, authority: string, user: string, pair: KeyPair): string {
  return render({ server, 'certificate-authority-data': base64(authority) }, user, {
    'client-certificate-data': base64(pair.certificate),
    'client-key-data': base64(pair.key),
  })
}

/** The same for a client whose key and certificates are files, by their absolute paths: nothing in it is secret. */
export function renderFileKubeconfig(
  server: string,
  user: string,
  files: { readonly authority: string; readonly certificate: string; readonly key: string },
): string {
  return render({ server, 'certificate-authority': files.authority }, user, {
    'client-certificate': files.certificate,
    'client-key': files.key,
  })
}

function render(cluster: object, name: string, user: object): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'pilotlight', cluster }],
    users: [{ name, user }],
    contexts: [{ name: 'pilotlight', context: { cluster: 'pilotlight', user: name } }],
    'current-context': 'pilotlight',
  })
}

/** Gives the kubeconfig of this run's administrator, good for `administratorHours`, for the API at `server`, a URL like `https://10.20.0.11:6443`. */
export function adminKubeconfig(pki: Pki, server: string): string {
  return renderKubeconfig(server, pki.authorities.ca.certificate, 'pilotlight-admin', pki.admin)
}

/**
 * Writes the administrator's kubeconfig to `path`, mode 0600. `server` is the API's URL; its host must be one that
 * the serving certificate names: the API address, 127.0.0.1, localhost, or a controller's name.
 */
export async function writeKubeconfig(path: string, pki: Pki, server: string): Promise<void> {
  await keepKubeconfig(path, adminKubeconfig(pki, server))
}

/** Writes a kubeconfig to `path`, mode 0600: whole or not at all. */
export async function keepKubeconfig(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  replaceFile(path, text)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
