// `pilotlight doctor`: looks at everything that decides whether machines will boot, before the first one is switched on. The server
// looks at itself and its network; here is what belongs to the operator's side: the server as it is reached, the token, the clocks, the
// site file, the state directory and the tools.

import { join, resolve } from 'node:path'
import { isOnThisHost } from '#client/credentials.ts'
import { Refusal } from '#client/refusal.ts'
import { ServerClient } from '#client/server.ts'
import { run } from '#host/command.ts'
import { holdersOf } from '#host/listeners.ts'
import { pathWord } from '#host/shell.ts'
import type { Diagnosis } from '#model/diagnosis.ts'
import { PilotlightError } from '#model/error.ts'
import { messageOf } from '#progress/wait.ts'
import { requireHelm } from '../charts/releases/helm.ts'
import { checkDataDirectory } from '../site/check-data.ts'
import { compileSite } from '../site/compile.ts'
import { FileProblems } from '../site/problems.ts'
import { readSiteFile } from '../site/read.ts'
import type { Site } from '../site/site.ts'
import { bootable, refuseOtherAuthority } from './publish.ts'

/** What the flags of `pilotlight doctor` say. */
export type DoctorOptions = {
  /** A site file; without it the sites that the server has are looked at. */
  readonly site?: string
  readonly server: string
  readonly state: string
  readonly dataPath: string
  /** The folder of kubectl and helm; PATH is searched without it. */
  readonly tools?: string
  /** The version of this program. */
  readonly version: string
}

/** What was found, and whether the server answered. */
export type DoctorReport = { readonly reached: boolean; readonly items: readonly Diagnosis[] }

/** Seconds between the clocks of two hosts from which on the check fails: certificates and tokens allow minutes. */
const CLOCKS_APART = 30

/** Looks at all of it; rejects only for a URL that is not valid, or when it is interrupted. */
export async function doctor(options: DoctorOptions, signal: AbortSignal): Promise<DoctorReport> {
  const client = new ServerClient(options.server)
  const { site, items: ofFile } = await siteFile(options)
  const { reached, items: ofServer } = await server(client, options)
  const ofHere = [...(await tools(options)), ...(await timeOfThisHost())]
  if (!reached) {
    const text = 'the server did not answer, so its network, its assets and its disk were not looked at'
    const rest: Diagnosis = {
      check: 'network',
      verdict: 'unseen',
      text,
      fix: 'pilotlight doctor' + siteWord(options),
    }
    return { reached, items: [...ofServer, ...ofFile, ...ofHere, ...(await ports(options)), rest] }
  }
  const ofSite = site === undefined ? [] : await siteOnServer(site, client, options)
  const looked = await ofTheServer(client, site, options.version, signal)
  return { reached, items: [...ofServer, ...ofFile, ...ofSite, ...looked, ...ofHere] }
}

function siteWord({ site }: DoctorOptions): string {
  return site === undefined ? '' : ` ${pathWord(site)}`
}

/** Reads the site file as `up` does. */
async function siteFile({
  site: path,
  state,
  dataPath,
}: DoctorOptions): Promise<{ site?: Site; items: Diagnosis[] }> {
  const check = 'site'
  if (path === undefined)
    return {
      items: [
        {
          check,
          verdict: 'unseen',
          text: 'no site file is named; what the server has is looked at',
          fix: 'pilotlight doctor SITE',
        },
      ],
    }
  try {
    const site = await readSiteFile(path, resolve(state))
    await checkDataDirectory(site, dataPath)
    return {
      site,
      items: [{ check, verdict: 'ok', text: `${path}: site ${site.name}, ${site.machines.length} machines` }],
    }
  } catch (error) {
    return { items: [failed(check, error, `pilotlight plan ${pathWord(path)}`)] }
  }
}

/** Whether the server answers, and whether its clock is ours. */
async function server(client: ServerClient, { server: base }: DoctorOptions): Promise<DoctorReport> {
  const began = Date.now()
  let answer: Response
  try {
    answer = await client.request('GET', '/healthz')
    await answer.body?.cancel()
  } catch (error) {
    return { reached: false, items: [failed('server', error, 'pilotlight serve')] }
  }
  const here = isOnThisHost(new URL(base).hostname)
  const items: Diagnosis[] = [
    {
      check: 'server',
      verdict: 'ok',
      text: `it answers at ${base}, ${here ? 'on this host' : 'on another host'}`,
    },
  ]
  const date = Date.parse(answer.headers.get('date') ?? '')
  const apart = Math.abs(date - (began + Date.now()) / 2) / 1000
  if (here) return { reached: true, items }
  if (Number.isNaN(date)) items.push({ check: 'clocks', verdict: 'unseen', text: 'the server says no time' })
  else if (apart > CLOCKS_APART)
    items.push({
      check: 'clocks',
      verdict: 'failed',
      text: `the clocks of this host and of the server are ${Math.round(apart)} s apart`,
      fix: 'timedatectl; timedatectl set-ntp true',
    })
  else items.push({ check: 'clocks', verdict: 'ok', text: 'this host and the server have the same time' })
  return { reached: true, items }
}

function versionOf(theirs: string, ours: string): Diagnosis {
  const check = 'version'
  if (theirs === ours) return { check, verdict: 'ok', text: `both are Pilotlight ${ours}` }
  const text = `the server is Pilotlight ${theirs}, this program ${ours}`
  return { check, verdict: 'warning', text, fix: 'pilotlight version' }
}

/** What of the site would be refused or is different on the server. */
async function siteOnServer(
  site: Site,
  client: ServerClient,
  { state }: DoctorOptions,
): Promise<Diagnosis[]> {
  const objects = compileSite(site)
  const profiles = [...new Set(objects.groups.map(({ profile }) => profile))]
  const directory = join(resolve(state), 'pki')
  return [
    await attempt('site on server', 'pilotlight get machines', async () => {
      await client.checkSite(site.name, objects)
      return `the server would take site ${site.name}`
    }),
    await attempt('authority', `pilotlight doctor SITE --state DIR`, async () => {
      await refuseOtherAuthority(site.name, client, state, directory)
      return `the server has no other certificates of site ${site.name} than ${state}`
    }),
    await attempt('profiles', 'pilotlight get profiles', async () => {
      for (const profile of profiles) await bootable(profile, client)
      return `${profiles.join(', ')}: the server has them, with our agent`
    }),
    await attempt(
      'wire',
      'pilotlight serve --admin-address ADDRESS:8444   beside its other flags',
      async () => {
        client.requirePrivateWire()
        return 'what signs for the site reaches the server where no other host can read it'
      },
    ),
  ]
}

/** What the server finds out about itself. */
async function ofTheServer(
  client: ServerClient,
  site: Site | undefined,
  ours: string,
  signal: AbortSignal,
): Promise<Diagnosis[]> {
  try {
    const given = site === undefined ? {} : { name: site.name, site: compileSite(site) }
    const { version, items } = await client.diagnose(given, undefined, signal)
    const token: Diagnosis = {
      check: 'token',
      verdict: 'ok',
      text: "the server takes it as an administrator's",
    }
    return [token, versionOf(version, ours), ...items]
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Refusal && [401, 403].includes(error.httpStatus)) {
      const text = `without an administrator's token the server does not look at its network, its assets and its disk`
      return [
        failed('token', error, 'export PILOTLIGHT_TOKEN_FILE=STATE/admin.token'),
        { check: 'network', verdict: 'unseen', text },
      ]
    }
    if (error instanceof Refusal && error.httpStatus === 404) {
      const text =
        'the server is older than this check: its network, its assets and its disk were not looked at'
      return [{ check: 'network', verdict: 'unseen', text, fix: 'pilotlight version' }]
    }
    return [failed('network', error, 'pilotlight doctor')]
  }
}

async function tools({ tools: folder }: DoctorOptions): Promise<Diagnosis[]> {
  return [
    await attempt('tools', 'pilotlight images build', async () => {
      await requireHelm(folder)
      return 'helm is there'
    }),
  ]
}

/** Whether a time server keeps this host's clock: machines are given their time by certificates that are made here. */
async function timeOfThisHost(): Promise<Diagnosis[]> {
  const check = 'ntp'
  try {
    const { stdout } = await run('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
      limitSeconds: 5,
    })
    if (stdout.trim() === 'yes')
      return [{ check, verdict: 'ok', text: 'a time server keeps the clock of this host' }]
    return [
      {
        check,
        verdict: 'warning',
        text: 'no time server keeps the clock of this host',
        fix: 'timedatectl set-ntp true',
      },
    ]
  } catch {
    return [{ check, verdict: 'unseen', text: 'timedatectl says nothing about a time server here' }]
  }
}

/** The ports that a server on this host would open. */
const PORTS = [
  { protocol: 'udp', port: 67, of: 'DHCP' },
  { protocol: 'udp', port: 69, of: 'TFTP' },
  { protocol: 'udp', port: 4011, of: 'PXE' },
  { protocol: 'tcp', port: 8080, of: 'HTTP' },
  { protocol: 'tcp', port: 8443, of: 'agents' },
] as const

/** Whether a server could be started here: who has its ports, and whether this user may open them. */
async function ports({ server: base }: DoctorOptions): Promise<Diagnosis[]> {
  if (!isOnThisHost(new URL(base).hostname)) return []
  const { hostname } = new URL(base)
  const address = hostname === 'localhost' ? '127.0.0.1' : hostname
  const taken = PORTS.flatMap(({ protocol, port, of }) => {
    const [holder] = holdersOf(protocol, address, port)
    return holder === undefined
      ? []
      : [`${of}, ${protocol.toUpperCase()} ${port}: process ${holder.pid} (${holder.words[0] ?? ''})`]
  })
  const found: Diagnosis[] = [
    taken.length === 0
      ? {
          check: 'ports',
          verdict: 'ok',
          text: `no process that can be seen has a port that the server opens at ${address}`,
        }
      : {
          check: 'ports',
          verdict: 'failed',
          text: `ports of the server are taken: ${taken.join('; ')}`,
          fix: 'ss --udp --tcp --listening --numeric --processes',
        },
  ]
  const isRoot = process.getuid?.() === 0
  found.push(
    isRoot
      ? { check: 'privilege', verdict: 'ok', text: "root may open DHCP's and TFTP's ports" }
      : {
          check: 'privilege',
          verdict: 'warning',
          text: 'this user may not open ports below 1024: DHCP and TFTP need root, or systemd (docs/service.md)',
          fix: 'sudo pilotlight serve',
        },
  )
  return found
}

async function attempt(check: string, fix: string, look: () => Promise<string>): Promise<Diagnosis> {
  try {
    return { check, verdict: 'ok', text: await look() }
  } catch (error) {
    return failed(check, error, fix)
  }
}

/** A check that failed by an error: its sentence, and its remedy, else a command. */
function failed(check: string, error: unknown, fix: string): Diagnosis {
  if (error instanceof FileProblems) {
    const [first] = error.problems
    const more = error.problems.length === 1 ? '' : ` (and ${error.problems.length - 1} more)`
    return {
      check,
      verdict: 'failed',
      text: `${first === undefined ? messageOf(error) : `${first.file}:${first.line ?? 1}: ${first.code} ${first.what}`}${more}`,
      fix,
    }
  }
  const remedy = error instanceof PilotlightError && error.remedy ? error.remedy : fix
  return { check, verdict: 'failed', text: messageOf(error), fix: remedy }
}
