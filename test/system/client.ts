// The unmodified `openstack` client, run outside of the cluster as a user of the cloud runs it: in the rack's network, with
// the clouds.yaml that `up` wrote.

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { labFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { inRack, labOf } from './lab.ts'

/** Why no client can be had here; undefined when one can. */
export function whyNoClient(): string | undefined {
  return existsSync('/usr/bin/openstack') ? undefined : 'needs the package python3-openstackclient'
}

/** One object, or one row of a list, as the client prints it. */
export type Row = Readonly<Record<string, unknown>>

/** The client of one lab's cloud. Its start alone takes a second of processor time. */
export type Client = {
  /** Runs a command that prints one object. */
  show(...words: readonly string[]): Promise<Row>
  /** Runs a command that prints a list. */
  list(...words: readonly string[]): Promise<Row[]>
  /** Runs a command, and gives what it printed. */
  say(...words: readonly string[]): Promise<string>
}

/** Gives the client for the lab of that name. */
export function clientOf(lab: string, limitSeconds = 180): Client {
  const variables = [
    `OS_CLIENT_CONFIG_FILE=${cloudsPath(lab)}`,
    'OS_CLOUD=pilotlight',
    'PYTHONWARNINGS=ignore',
  ]
  const say = (...words: readonly string[]) =>
    inRack(lab, ['env', ...variables, 'openstack', ...words], limitSeconds)
  return {
    say,
    show: async (...words) => JSON.parse(await say(...words, '--format', 'json')) as Row,
    list: async (...words) => JSON.parse(await say(...words, '--format', 'json')) as Row[],
  }
}

/** How the administrator of the lab's cloud logs in. */
export async function accessOf(lab: string): Promise<Access> {
  const { clouds } = parse(await readFile(cloudsPath(lab), 'utf8')) as {
    clouds: { pilotlight: { auth: Access } }
  }
  return clouds.pilotlight.auth
}

/** The part of clouds.yaml that tests look at. */
export type Access = { readonly auth_url: string; readonly username: string; readonly password: string }

function cloudsPath(lab: string): string {
  return join(labFiles(labOf(lab).directory).up, 'clouds.yaml')
}

/** Waits until the server's console holds what `pattern` finds, and gives all of it. */
export function consoleWith(client: Client, server: string, pattern: RegExp, limitSeconds: number) {
  return waitUntil(`${pattern} on the console of ${server}`, { limitSeconds, everyMs: 1000 }, async () => {
    const said = await client.say('console', 'log', 'show', server)
    return pattern.test(said) ? { value: said } : { not: said.trimEnd().split('\n').slice(-3).join(' | ') }
  })
}
