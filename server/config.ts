// The settings of the server: what each means, its unit, its default, and what is refused.

import { statSync } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pathWord } from '#host/shell.ts'
import {
  DEFAULT_ADDRESS,
  DEFAULT_AGENT_PORT,
  DEFAULT_HTTP_PORT,
  DEFAULT_STATE_PATH,
} from '#model/endpoint.ts'
import type { CertificateRole } from './access/roles.ts'
import type { TlsPaths } from './access/certificates.ts'
import { BadSettings } from './errors.ts'
import { STRANGER_LIMITS, type StrangerLimits } from './limits/http.ts'
import { LOG_LEVELS, logLevelOf, type LogFormat, type LogLevel } from './log.ts'
import { sharedAddress } from './process/own-addresses.ts'

/**
 * Who reads lists, journals and metrics without a token or certificate: anyone, programs on this host, or no one. Where it is
 * no one, programs on this host change nothing without one either, on loopback too.
 */
export type OpenReads = 'anyone' | 'this-host' | 'no-one'

/** Where a listener is bound. Port 0 takes a free one. */
export type Endpoint = { readonly host: string; readonly port: number }

/** All settings, checked. */
export type ServerConfig = {
  /** Address of the provisioning interface (IPv4, unless DHCP and TFTP are off): what machines call is bound to it. */
  readonly address: string
  /** TCP port of HTTP; 0 takes a free one. */
  readonly httpPort: number
  /** Where the machines' agents call, HTTPS. */
  readonly agent: Endpoint
  /**
   * Where people and programs call, HTTPS; undefined has them on the boot listener. Without files of its own it has a
   * certificate of our own authority.
   */
  readonly admin: (Endpoint & { readonly tls: TlsPaths | undefined }) | undefined
  /** Where Matchbox's gRPC API is served; undefined turns it off. */
  readonly rpc: (Endpoint & { readonly tls: TlsPaths }) | undefined
  /** Certificate and key of the boot listener, which then speaks HTTPS. */
  readonly web: TlsPaths | undefined
  /** What a client certificate that names no role may do. */
  readonly certificateRole: CertificateRole
  readonly openReads: OpenReads
  /** Names and addresses that requests may call us by, besides those of the host (`access/hosts.ts`). */
  readonly hostNames: readonly string[]
  /** A directory in Matchbox's layout, with our `ipxe/` and `ignition/` templates. */
  readonly dataPath: string
  /** Kernels and images; undefined serves none. */
  readonly assetsPath: string | undefined
  /** Where the store, our certificate authority and the access tokens are kept; private to us. */
  readonly statePath: string
  /** The folder of boot loaders, as in Debian's `ipxe` package. */
  readonly loadersPath: string
  /** An OpenPGP key ring to sign boot files with, and what opens its key. */
  readonly keyRingPath: string | undefined
  readonly keyRingPassphrase: string | undefined
  readonly dhcp: boolean
  readonly tftp: boolean
  /** Days that boot events are kept. */
  readonly eventDays: number
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  /** Seconds that requests under way get to end when the server stops. */
  readonly stopSeconds: number
  readonly limits: ClientLimits
  /** What senders that ask too much are held to. */
  readonly strangers: StrangerLimits
}

/** Milliseconds that a client may take; who takes longer loses its connection. */
export type ClientLimits = {
  /** To send all headers of a request. */
  readonly headersMs: number
  /** To send a request with its body; an upload of an asset may take longer, as long as it goes on. */
  readonly requestMs: number
  /** Between two requests on one connection. */
  readonly keepAliveMs: number
  /** Without a byte in either direction, while an answer is on its way. */
  readonly idleMs: number
  /** How often the first two are checked. */
  readonly checkMs: number
}

/** The project's root: a checkout is itself the data directory that a fresh server serves. */
export const PROJECT_ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The defaults. */
export const SETTINGS = {
  address: DEFAULT_ADDRESS,
  httpPort: DEFAULT_HTTP_PORT,
  agentPort: DEFAULT_AGENT_PORT,
  dataPath: PROJECT_ROOT,
  statePath: DEFAULT_STATE_PATH,
  loadersPath: '/usr/lib/ipxe',
  certFile: '/etc/matchbox/server.crt',
  keyFile: '/etc/matchbox/server.key',
  caFile: '/etc/matchbox/ca.crt',
  webCertFile: '/etc/matchbox/ssl/server.crt',
  webKeyFile: '/etc/matchbox/ssl/server.key',
  certificateRole: 'admin',
  dhcp: true,
  tftp: true,
  eventDays: 30,
  logLevel: 'info',
  logFormat: 'json',
  stopSeconds: 10,
  limits: { headersMs: 10_000, requestMs: 30_000, keepAliveMs: 75_000, idleMs: 120_000, checkMs: 2_000 },
} as const

/** The defaults of a server that replaces Matchbox (`--matchbox`). */
export const MATCHBOX_SETTINGS = {
  address: '127.0.0.1:8080',
  agentPort: 0,
  dataPath: '/var/lib/matchbox',
  assetsPath: '/var/lib/matchbox/assets',
  dhcp: false,
  tftp: false,
} as const

/** Settings as given: what is left out has its value of `SETTINGS`. Addresses may include a port. */
export type GivenSettings = {
  readonly [Key in keyof typeof SETTINGS]?: Widened<(typeof SETTINGS)[Key]> | undefined
} & {
  readonly agentAddress?: string | undefined
  readonly adminAddress?: string | undefined
  readonly rpcAddress?: string | undefined
  readonly webSsl?: boolean | undefined
  readonly assetsPath?: string | undefined
  readonly keyRingPath?: string | undefined
  readonly keyRingPassphrase?: string | undefined
  readonly strangers?: Partial<StrangerLimits> | undefined
  readonly publicReads?: boolean | undefined
  readonly privateReads?: boolean | undefined
  readonly hostName?: readonly string[] | undefined
}

type Widened<T> = T extends string
  ? string
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : ClientLimits

/**
 * Fills in what was left out, makes paths absolute, and checks the rest. Assets are `assets/` in the data directory,
 * when that is there and nothing else is said; the empty text turns them off.
 *
 * @throws {BadSettings} which names the setting and what it takes
 */
export function serverConfig(given: GivenSettings): ServerConfig {
  const all = { ...SETTINGS, ...withoutUndefined(given) }
  const boot = endpoint('address', all.address, all.httpPort)
  if (!(isIPv4(boot.host) || (isIP(boot.host) !== 0 && !all.dhcp && !all.tftp))) {
    throw new BadSettings(
      `address is "${all.address}"; it takes the IPv4 address of the provisioning interface.`,
      {
        remedy: 'give --address one that this lists:  ip -brief address',
      },
    )
  }
  const dataPath = directory('data-path', all.dataPath)
  const optional = (name: string, text: string | undefined) =>
    text === undefined || text === '' ? undefined : endpoint(name, text)
  const admin = optional('admin-address', given.adminAddress)
  const rpc = optional('rpc-address', given.rpcAddress)
  const service = { certFile: resolve(all.certFile), keyFile: resolve(all.keyFile) }
  const adminTls = given.caFile === undefined ? service : { ...service, caFile: resolve(given.caFile) }
  return {
    address: boot.host,
    httpPort: boot.port,
    agent: endpoint('agent-address', given.agentAddress ?? boot.host, all.agentPort),
    admin: admin && { ...admin, tls: given.certFile === undefined ? undefined : adminTls },
    rpc: rpc && { ...rpc, tls: { ...service, caFile: resolve(all.caFile) } },
    web: given.webSsl
      ? { certFile: resolve(all.webCertFile), keyFile: resolve(all.webKeyFile), flags: 'web-' }
      : undefined,
    certificateRole: oneOf('certificate-role', all.certificateRole, ['admin', 'read-only', 'none'] as const),
    openReads: openReads(given),
    hostNames: (given.hostName ?? []).map(hostName),
    dataPath,
    assetsPath: assetsPathOf(dataPath, given.assetsPath),
    statePath: resolve(all.statePath),
    loadersPath: resolve(all.loadersPath),
    keyRingPath:
      given.keyRingPath === undefined || given.keyRingPath === '' ? undefined : resolve(given.keyRingPath),
    keyRingPassphrase: given.keyRingPassphrase,
    dhcp: all.dhcp,
    tftp: all.tftp,
    eventDays: all.eventDays,
    logLevel: logLevel(all.logLevel),
    logFormat: oneOf('log-format', all.logFormat, ['json', 'text'] as const),
    stopSeconds: all.stopSeconds,
    limits: all.limits,
    strangers: { ...STRANGER_LIMITS, ...given.strangers },
  }
}

function withoutUndefined<T extends object>(given: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Key in keyof T]: Exclude<T[Key], undefined> } // the same, less some keys
}

/** An address with its port, as Go writes them: `host:port`, `:port`, `[::1]:port`; or without one where a port is given. */
function endpoint(name: string, text: string, usualPort?: number): Endpoint {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? []
  const port = digits === undefined ? usualPort : Number(digits)
  if (port === undefined) {
    throw new BadSettings(`${name} is "${text}"; it takes an address with its port.`, {
      remedy: `pilotlight serve --${name} 0.0.0.0:8081`,
    })
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    const of = digits === undefined ? name.replace('address', 'port') : name
    throw new BadSettings(
      `${of === 'port' ? 'http-port' : of} is ${digits === undefined ? port : `"${text}"`}; its port is one from 0 (a free one) to 65535.`,
      {
        remedy: `pilotlight serve --${of === 'port' ? 'http-port' : of} ${digits === undefined ? 0 : `${bracketed ?? plain}:0`}`,
      },
    )
  }
  const host = bracketed ?? plain ?? text
  const shared = sharedAddress(host)
  if (shared !== undefined)
    throw new BadSettings(
      `${name} is "${text}", a ${shared} address, to which no client can connect; it takes the address of an interface.`,
      { remedy: `give --${name} one that this lists:  ip -brief address` },
    )
  const known: Readonly<Record<string, string>> = { '': '0.0.0.0', localhost: '127.0.0.1' }
  return { host: known[host] ?? host, port }
}

function openReads({ publicReads, privateReads }: GivenSettings): OpenReads {
  if (publicReads && privateReads) {
    throw new BadSettings(
      'public-reads and private-reads say the opposite of each other: only one of them can be given.',
      { remedy: 'pilotlight serve --private-reads' },
    )
  }
  if (publicReads) return 'anyone'
  return privateReads ? 'no-one' : 'this-host'
}

/** A name or an address as a `Host` header has it, without its port. */
function hostName(text: string): string {
  const name = text.replace(/^\[(.*)\]$/, '$1')
  if (isIP(name) !== 0 || /^[a-z0-9]([\w-]*\.)*[\w-]*$/i.test(name)) return name.replace(/\.$/, '')
  throw new BadSettings(`host-name is "${text}"; it takes a name or an address without its port.`, {
    remedy: 'pilotlight serve --host-name boot.example.org',
  })
}

function assetsPathOf(dataPath: string, given: string | undefined): string | undefined {
  if (given === '') return undefined
  if (given !== undefined) return directory('assets-path', given)
  const usual = resolve(dataPath, 'assets')
  return statSync(usual, { throwIfNoEntry: false })?.isDirectory() ? usual : undefined
}

function directory(name: string, path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new BadSettings(`${name} is "${path}", which is not a directory.`, {
      remedy: `name another, or make it:  mkdir -p ${pathWord(path)}`,
    })
  }
  return resolve(path)
}

function logLevel(text: string): LogLevel {
  const level = logLevelOf(text)
  if (level !== undefined) return level
  throw new BadSettings(`log-level is "${text}"; it takes one of ${Object.keys(LOG_LEVELS).join(', ')}.`, {
    remedy: 'pilotlight serve --log-level info',
  })
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const found = known.find(one => one === text)
  if (found !== undefined) return found
  throw new BadSettings(`${name} is "${text}"; it takes one of ${known.join(', ')}.`, {
    remedy: `pilotlight serve --${name} ${known[0]}`,
  })
}
