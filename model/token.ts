// The access tokens of a server, as its API lists and makes them.

import type { CredentialRole } from './role.ts'

/** A token as it is listed. */
export type AccessToken = {
  readonly name: string
  readonly role: CredentialRole
  /** ISO 8601. */
  readonly created: string
  /** ISO 8601; after it the token is refused. One without it ends when it is revoked. */
  readonly expires?: string
}

/** What a new token is to be. */
export type NewToken = { readonly name: string; readonly role: CredentialRole; readonly days?: number }

/** What the name of a token may be. */
export const TOKEN_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/i
