// The settings of the server: what each means, its unit, what it is when nobody sets it, and what is refused.

import { statSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BadSettings } from './errors.ts'

/** All settings, checked. */
export type ServerConfig = {
  /** IPv4 of the provisioning interface: DHCP, TFTP, HTTP and HTTPS are bound to it. */
  readonly address: string
  /** TCP port of HTTP; 0 takes a free one. */
  readonly httpPort: number
  /** TCP port of the machines' HTTPS side; 0 takes a free one. */
  readonly agentPort: number
  /** A directory in Matchbox's layout, with our `ipxe/` and `ignition/` templates. */
  readonly dataPath: string
  /** Kernels and images; undefined serves none. */
  readonly assetsPath: string | undefined
  /** Where the store and our certificate authority are kept; private to us. */
  readonly statePath: string
  /** Where boot loaders lie, as Debian's `ipxe` package puts them. */
  readonly loadersPath: string
  readonly dhcp: boolean
  readonly tftp: boolean
  /** Days that boot events are kept. */
  readonly eventDays: number
}

/** The project's root: a checkout is itself the data directory that a fresh server serves. */
export const PROJECT_ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What holds when nobody says otherwise; only the address has to be given. */
export const SETTINGS = {
  httpPort: 8080,
  agentPort: 8443,
  dataPath: PROJECT_ROOT,
  statePath: 'server-state',
  loadersPath: '/usr/lib/ipxe',
  dhcp: true,
  tftp: true,
  eventDays: 30,
} as const

/** Settings as somebody gives them: what is left out has its value of `SETTINGS`. */
export type GivenSettings = { readonly address: string } & {
  readonly [Key in Exclude<keyof ServerConfig, 'address'>]?: ServerConfig[Key] | undefined
}

/**
 * Fills in what was left out, makes paths absolute, and checks the rest. Assets are `assets/` in the data directory,
 * when that is there and nothing else is said; the empty text turns them off.
 *
 * @throws {BadSettings} which names the setting and what it takes
 */
export function serverConfig(given: GivenSettings): ServerConfig {
  if (!isIPv4(given.address)) {
    throw new BadSettings(
      `address is "${given.address}"; give the IPv4 address of the provisioning interface.`,
    )
  }
  const dataPath = directory('data-path', given.dataPath ?? SETTINGS.dataPath)
  return {
    address: given.address,
    httpPort: port('http-port', given.httpPort ?? SETTINGS.httpPort),
    agentPort: port('agent-port', given.agentPort ?? SETTINGS.agentPort),
    dataPath,
    assetsPath: assetsPathOf(dataPath, given.assetsPath),
    statePath: resolve(given.statePath ?? SETTINGS.statePath),
    loadersPath: resolve(given.loadersPath ?? SETTINGS.loadersPath),
    dhcp: given.dhcp ?? SETTINGS.dhcp,
    tftp: given.tftp ?? SETTINGS.tftp,
    eventDays: given.eventDays ?? SETTINGS.eventDays,
  }
}

function assetsPathOf(dataPath: string, given: string | undefined): string | undefined {
  if (given === '') return undefined
  if (given !== undefined) return directory('assets-path', given)
  const usual = resolve(dataPath, 'assets')
  return statSync(usual, { throwIfNoEntry: false })?.isDirectory() ? usual : undefined
}

function directory(name: string, path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new BadSettings(`${name} is "${path}", which is not a directory. Make it, or name another.`)
  }
  return resolve(path)
}

function port(name: string, number: number): number {
  if (Number.isInteger(number) && number >= 0 && number <= 65535) return number
  throw new BadSettings(`${name} is ${number}; it takes a TCP port, or 0 for a free one.`)
}
