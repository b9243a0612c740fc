// The values that every template sees: kernel arguments, iPXE scripts and Ignition configs alike.

import type { Group } from '#model/group.ts'
import type { Labels } from '#model/selector.ts'
import type { Machine } from '#model/machine.ts'
import type { Profile } from '#model/profile.ts'

/** Where the server is reached by machines. */
export type Endpoints = {
  /**
   * For example `{ url: 'http://10.20.0.1:8080', address: '10.20.0.1', addresses: ['10.20.0.1'] }`: its URL, the IPv4
   * address that it is configured to listen on, and all by which it can be reached.
   */
  readonly server: { readonly url: string; readonly address: string; readonly addresses: readonly string[] }
  /** The HTTPS side: its URL and the certificate of its authority in PEM. */
  readonly agent: { readonly url: string; readonly ca: string }
}

/** What one request is about. */
export type Subject = {
  readonly labels: Labels
  readonly group: Group
  readonly profile: Profile
  readonly machine: Machine | undefined
  /** The machine's token of this boot; empty where none was made. */
  readonly token: string
}

/** The names of the template language, documented in docs/api.md. */
export function contextOf({ server, agent }: Endpoints, subject: Subject) {
  return {
    server,
    agent: { ...agent, token: subject.token },
    machine: subject.machine ?? null,
    metadata: subject.group.metadata ?? {},
    labels: subject.labels,
    profile: { id: subject.profile.id },
  }
}
