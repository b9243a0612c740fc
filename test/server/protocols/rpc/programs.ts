// Matchbox itself and its clients, built from their Go modules: the peers that our gRPC is held against.

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findArtefact } from '#host/cache.ts'
import { goRecipe, type GoRecipe } from '#images/go.ts'

const MATCHBOX = { module: 'github.com/poseidon/matchbox', version: 'v0.11.0' }
const PROVIDER = { module: 'github.com/poseidon/terraform-provider-matchbox', version: 'v0.5.4' }

const lockedIn = (name: string) => join(import.meta.dirname, 'modules', name)

/** The server, and its example client. */
const matchbox = goRecipe(
  {
    name: 'matchbox',
    ...MATCHBOX,
    packages: { matchbox: `${MATCHBOX.module}/cmd/matchbox`, bootcmd: `${MATCHBOX.module}/cmd/bootcmd` },
  },
  { locked: lockedIn('matchbox') },
)

const source = readFileSync(new URL('client/main.go', import.meta.url), 'utf8')

/** A program that makes any call with the client package of Matchbox's module. */
const client = goRecipe(
  { name: 'matchbox-client', ...MATCHBOX, packages: { 'matchbox-client': '.' } },
  {
    prepare: (_, scratch) => writeFile(join(scratch, 'main.go'), source),
    preparedBy: source,
    locked: lockedIn('matchbox-client'),
  },
)

/** The Terraform provider, as it is released. */
const provider = goRecipe(
  {
    name: 'terraform-provider-matchbox',
    ...PROVIDER,
    packages: { 'terraform-provider-matchbox': PROVIDER.module },
  },
  { locked: lockedIn('terraform-provider-matchbox') },
)

/** What `npm test` builds before it begins. */
export const rpcPeerRecipes: readonly GoRecipe[] = [matchbox, client, provider]

const [ofMatchbox, ofClient, ofProvider] = await Promise.all(
  rpcPeerRecipes.map(recipe => findArtefact(recipe)),
)

/** Why tests that need the peers cannot run; false when they can. */
export const skip =
  ofMatchbox && ofClient && ofProvider ? false : 'needs the gRPC peers: node_modules/.bin/node test/set-up.ts'

/** The programs, by their names. */
export const programs = {
  matchbox: join(ofMatchbox?.path ?? '', 'matchbox'),
  bootcmd: join(ofMatchbox?.path ?? '', 'bootcmd'),
  client: join(ofClient?.path ?? '', 'matchbox-client'),
  provider: join(ofProvider?.path ?? '', 'terraform-provider-matchbox'),
}
