// Boots media in QEMU, as CD and as USB stick, by BIOS and UEFI, on a wire without our DHCP, until the machine has its bundle and
// reports `ready`: `node test/medium/boots.ts RECORD.jsonl [CASE...]`. Each case that ended well is a line of RECORD; the next run
// skips those. `--config` ends each boot when Ignition has its config. Root, its own network namespaces; nothing else of the host is touched. `bootOne` is for the tests, too.

import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from '#host/command.ts'
import { placeAssets } from '#images/assets.ts'
import { buildImages } from '#images/build.ts'
import { readAuthority } from '#images/authority.ts'
import { makeMedium } from '#images/medium-image.ts'
import { readMedium, type MediumRequest } from '#images/medium.ts'
import { USUAL_DISK } from '#model/disk.ts'
import { silentStage } from '#progress/stage.ts'
import { waitUntil } from '#progress/wait.ts'
import { openRecord } from '../../bench/record.ts'

const ROOT = join(import.meta.dirname, '../..')
const PILOTLIGHT = join(ROOT, 'bin', 'pilotlight')
const SERVER = '10.20.0.1'
const MACHINE = '10.20.0.21'
const MAC = '52:54:00:20:00:21'
const NAME = 'far-1'
/** For each step of a boot: emulated, on a host that does other work. */
const LIMIT_SECONDS = 3600

/** One boot: the medium, how the machine finds it, and what is on the wire. */
export type MediumCase = {
  readonly id: string
  readonly firmware: 'bios' | 'uefi'
  readonly as: 'cd' | 'usb'
  readonly medium: Omit<MediumRequest, 'server' | 'consoles'>
  /** The server serves boot files by HTTPS alone, and the medium has its authority. */
  readonly https?: true
  /** The medium has the server's authority. */
  readonly ca?: true
  /**
   * A DHCP server that is not ours, and names no loader; our own is on, and silent, since its site says `dhcp: off`. With a static
   * address the machine must not ask it.
   */
  readonly foreignDhcp?: true
  /** The machine has an empty disk: it is installed to it, loses power once it is ready, and starts again without the medium. */
  readonly installs?: true
  /** The wire has this VLAN tagged, and nothing untagged. */
  readonly vlan?: number
  /** What the machine's clock says at power-on. */
  readonly clock?: string
  /** A second card comes first, whose wire has no server. */
  readonly twoCards?: true
}

const STATIC = { address: `${MACHINE}/24` }

export const CASES: readonly MediumCase[] = [
  { id: 'cd-bios', firmware: 'bios', as: 'cd', medium: STATIC },
  { id: 'cd-uefi', firmware: 'uefi', as: 'cd', medium: STATIC, ca: true },
  { id: 'usb-bios', firmware: 'bios', as: 'usb', medium: { ...STATIC, interface: MAC } },
  { id: 'usb-uefi', firmware: 'uefi', as: 'usb', medium: STATIC },
  { id: 'vlan-bios', firmware: 'bios', as: 'cd', medium: { ...STATIC, vlan: '100' }, vlan: 100 },
  { id: 'dhcp-uefi', firmware: 'uefi', as: 'usb', medium: {}, foreignDhcp: true },
  {
    id: 'https-bios',
    firmware: 'bios',
    as: 'cd',
    medium: STATIC,
    https: true,
    ca: true,
    clock: '2040-01-01T00:00:00',
  },
  {
    id: 'install-bios',
    firmware: 'bios',
    as: 'cd',
    medium: STATIC,
    foreignDhcp: true,
    installs: true,
  },
  { id: 'install-uefi', firmware: 'uefi', as: 'usb', medium: STATIC, foreignDhcp: true, installs: true },
  { id: 'two-cards-bios', firmware: 'bios', as: 'usb', medium: STATIC, twoCards: true },
]

/** What a boot showed. */
export type MediumBoot = {
  readonly case: string
  readonly at: string
  /**
   * Seconds from power-on to the first request of the server, to the config, to the key that waits; and from its approval to ready.
   */
  readonly seconds: {
    readonly asked: number
    readonly config: number
    readonly waits?: number
    readonly readyAfterApproval?: number
    /** From power-on without the medium, after the cut, to `ready`. */
    readonly readyFromDisk?: number
  }
  readonly load: number
  readonly mediumBytes: number
  readonly journal: readonly string[]
}

/**
 * Boots one case to `ready`, or until Ignition has its config, and says what it showed.
 *
 * @param images an assets directory with the live system; empty where the boot ends before it
 *
 * @throws when it does not get there; the folder with server.log and console.log is named, and stays
 */
export async function bootOne(
  one: MediumCase,
  images: string,
  until: 'config' | 'ready' = 'ready',
): Promise<MediumBoot> {
  const work = mkdtempSync(join(tmpdir(), `pilotlight-medium-${one.id}-`))
  const space = `pm-${process.pid}`
  const children: ChildProcess[] = []
  const inside = (log: string, argv: readonly string[]): ChildProcess => {
    const file = openSync(join(work, log), 'a')
    const child = spawn('nsenter', [`--net=/run/netns/${space}`, ...argv], {
      cwd: work,
      stdio: ['ignore', file, file],
    })
    children.push(child)
    return child
  }
  let isWell = false
  const cutShort = () => {
    for (const child of children) child.kill('SIGKILL')
    process.exit(143)
  }
  process.once('SIGTERM', cutShort)
  try {
    await network(space, one)
    if (one.vlan !== undefined) {
      inside('tagger.log', [
        'python3',
        join(import.meta.dirname, 'vlan-tagger.py'),
        'wire',
        `${one.vlan}`,
        '5001',
        '5002',
      ])
    }
    if (one.foreignDhcp) {
      const options = [
        '--no-daemon',
        '--port=0',
        '--interface=eth0',
        '--bind-interfaces',
        '--conf-file=/dev/null',
      ]
      const given = one.medium.address === undefined ? MACHINE : '10.20.0.50'
      const range = [`--dhcp-range=${given},${given},255.255.255.0`, `--dhcp-leasefile=${work}/leases`]
      await otherHost(space)
      const argv = [`--net=/run/netns/${space}-other`, 'dnsmasq', ...options, ...range]
      children.push(spawn('nsenter', argv, { cwd: work, stdio: 'ignore' }))
    }
    const state = join(work, 'state')
    const flags = [
      ...(one.foreignDhcp ? [] : ['--no-dhcp']),
      '--no-tftp',
      `--address=${SERVER}`,
      `--assets-path=${images}`,
      `--state-path=${state}`,
    ]
    const web = [`--web-cert-file=${work}/web.crt`, `--web-key-file=${work}/web.key`]
    if (one.https) await webCertificate(work)
    inside('server.log', [
      PILOTLIGHT,
      'serve',
      ...flags,
      '--log-format=text',
      ...(one.https ? ['--web-ssl', ...web] : []),
    ])
    const url = `${one.https ? 'https' : 'http'}://${SERVER}:8080`
    const ask = async (method: string, path: string, body?: unknown) => {
      const token = readFileSync(join(state, 'admin.token'), 'utf8').trim()
      const data = body === undefined ? [] : ['--json', JSON.stringify(body)]
      const options = [
        '--silent',
        '--show-error',
        '--fail-with-body',
        '--max-time',
        '10',
        '--cacert',
        join(work, 'web-ca.crt'),
      ]
      const auth = ['--header', `Authorization: Bearer ${token}`]
      const line = ['curl', ...options, ...auth, '--request', method, ...data, `${url}${path}`]
      return (await run('nsenter', [`--net=/run/netns/${space}`, ...line], { limitSeconds: 20 })).stdout
    }
    await waitUntil('the server answers', { limitSeconds: 60, everyMs: 250 }, () =>
      ask('GET', '/readyz').then(
        () => ({ value: true }),
        () => ({ not: 'no answer' }),
      ),
    )
    await ask('PUT', '/v1/sites/far', objectsOf(one))
    const files = [{ path: '/etc/pilotlight/secret', mode: 0o600, content: 'for this machine alone\n' }]
    await ask('PUT', `/v1/machines/${NAME}/bundle`, { files, requests: [], secrets: [] })

    const built = await buildImages()
    const authority = one.https ? [join(state, 'ca.crt'), join(work, 'web-ca.crt')] : [join(state, 'ca.crt')]
    const texts = await Promise.all(authority.map(file => readAuthority(file)))
    const ca = one.ca ? { ca: texts.join('') } : {}
    const parts = {
      kernel: built.kernel,
      initrd: built.initrd,
      microcode: join(dirname(built.initrd), 'microcode.img'),
      rootfsSha256: built.rootfsSha256,
      ...ca,
    }
    const medium = readMedium({ ...one.medium, server: url, consoles: ['ttyS0,115200n8'] })
    const output = join(work, 'medium.iso')
    const { bytes } = await makeMedium(medium, parts, output, silentStage, new AbortController().signal)

    if (one.firmware === 'uefi') copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd', join(work, 'variables.fd'))
    if (one.installs) await run('truncate', ['--size=17G', join(work, 'disk')], { limitSeconds: 10 })
    let ended = new AbortController()
    const powerOn = (hasMedium: boolean) => {
      const child = inside('console.log', ['nice', 'qemu-system-x86_64', ...qemu(one, work, hasMedium)])
      const end = (ended = new AbortController())
      child.once('exit', status => end.abort(new Error(`QEMU ended with ${status}`)))
      return child
    }
    const began = performance.now()
    const machine = powerOn(true)
    const phase = (what: string, isThere: () => Promise<boolean>) =>
      waitUntil(what, { limitSeconds: LIMIT_SECONDS, everyMs: 1000, signal: ended.signal }, async () => {
        return (await isThere()) ? { value: true } : { not: lastLine(join(work, 'console.log')) }
      })
    const events = async () =>
      (JSON.parse(await ask('GET', `/v1/events?after=0&machine=${NAME}`)) as { events: Event[] }).events
    const has = async (wanted: string) => (await events()).some(({ kind }) => kind === wanted)
    const shown = async (seconds: MediumBoot['seconds']): Promise<MediumBoot> => {
      isWell = true
      const journal = (await events()).map(({ kind, text }) => `${kind}: ${text}`)
      const load = Math.round((loadavg()[0] ?? 0) * 10) / 10
      return { case: one.id, at: new Date().toISOString(), seconds, load, mediumBytes: bytes, journal }
    }
    await phase('the machine asks what to boot', () => has('script'))
    const asked = since(began)
    await phase('Ignition has its config', () => has('config'))
    const config = since(began)
    if (until === 'config') return await shown({ asked, config })
    let key: Key | undefined
    await phase('its key waits for the operator', async () => {
      key = (JSON.parse(await ask('GET', '/v1/keys?state=pending')) as Key[]).find(it => it.machine === NAME)
      return key !== undefined
    })
    const waits = since(began)
    // No policy has approved it, and it has no bundle: the operator compares, and decides.
    if (await has('bundle')) throw new Error('a bundle was given without approval')
    const approved = performance.now()
    await ask('POST', `/v1/machines/${NAME}/approve`, { fingerprint: key?.fingerprint })
    await phase('ready', () => has('ready'))
    const seconds = { asked, config, waits, readyAfterApproval: since(approved) }
    requireNoLease(work)
    if (one.installs !== true) return await shown(seconds)
    const count = async (wanted: string) => (await events()).filter(({ kind }) => kind === wanted).length
    if ((await count('installed')) !== 1) throw new Error('it was ready, and not installed')
    const gone = new Promise(resolve => machine.once('exit', resolve))
    machine.kill('SIGKILL')
    await gone
    const cut = performance.now()
    powerOn(false)
    await phase('ready from its disk', async () => (await count('ready')) === 2)
    if ((await count('installed')) !== 1) throw new Error('it was installed twice')
    requireNoLease(work)
    return await shown({ ...seconds, readyFromDisk: since(cut) })
  } catch (error) {
    throw new Error(`${one.id}: ${(error as Error).message}\n  logs: ${work}`, { cause: error })
  } finally {
    process.off('SIGTERM', cutShort)
    for (const child of children) child.kill('SIGKILL')
    for (const one of [space, `${space}-other`])
      await run('ip', ['netns', 'delete', one], { limitSeconds: 10 }).catch(() => undefined)
    if (isWell) rmSync(work, { recursive: true, force: true })
  }
}

/** A machine with a static address asks no DHCP server: neither the other one, nor ours. */
function requireNoLease(work: string): void {
  const leases = join(work, 'leases')
  if (existsSync(leases) && readFileSync(leases, 'utf8').includes('10.20.0.50'))
    throw new Error(`the other DHCP server gave a lease: ${readFileSync(leases, 'utf8')}`)
}

type Event = { readonly kind: string; readonly text: string }
type Key = { readonly machine: string; readonly fingerprint: string }

/** The site, as the server takes it: no DHCP, and an operator approves. */
const OBJECTS = JSON.parse(readFileSync(join(import.meta.dirname, 'site.json'), 'utf8')) as {
  readonly machines: readonly object[]
  readonly groups: readonly { readonly metadata: object }[]
}

/** The same with a disk where the machine has one. */
function objectsOf({ installs }: MediumCase): unknown {
  if (installs !== true) return OBJECTS
  const machines = OBJECTS.machines.map(one => ({ ...one, disk: USUAL_DISK }))
  const groups = OBJECTS.groups.map(one => ({ ...one, metadata: { ...one.metadata, install: 'yes' } }))
  return { ...OBJECTS, machines, groups }
}

/** Another host on the wire, in its own namespace. */
async function otherHost(space: string): Promise<void> {
  const other = `${space}-other`
  await run('ip', ['netns', 'add', other], { limitSeconds: 10 })
  await batch(space, [
    `link add other0 type veth peer name eth0 netns ${other}`,
    'link set other0 master br0 up',
  ])
  await batch(other, ['link set lo up', 'address add 10.20.0.9/24 dev eth0', 'link set eth0 up'])
}

/** Runs lines of ip(8) in a namespace. */
function batch(space: string, lines: readonly string[]): Promise<unknown> {
  return run('ip', ['-n', space, '-batch', '-'], { limitSeconds: 10, input: `${lines.join('\n')}\n` })
}

/** A bridge with the server's address, and the machine's port; or the tagger's interface, which is the server's then. */
async function network(space: string, { vlan, twoCards }: MediumCase): Promise<void> {
  await run('ip', ['netns', 'add', space], { limitSeconds: 10 })
  const lines = [
    'link set lo up',
    ...(vlan === undefined
      ? [
          'link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
          `address add ${SERVER}/24 dev br0`,
          'link set br0 up',
          'tuntap add dev port mode tap',
          'link set port master br0 up',
        ]
      : ['tuntap add dev wire mode tap', `address add ${SERVER}/24 dev wire`, 'link set wire up']),
    ...(twoCards ? ['tuntap add dev other mode tap', 'link set other up'] : []),
  ]
  await batch(space, lines)
}

function qemu(
  { firmware, as, vlan, clock, twoCards, installs }: MediumCase,
  work: string,
  hasMedium: boolean,
): string[] {
  const uefi = firmware === 'uefi'
  const variables = join(work, 'variables.fd')
  const boot = as === 'cd' ? 'ide-cd' : 'usb-storage'
  const groups = [
    [
      '-machine',
      'q35,graphics=off',
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      'qemu64,-svm',
      '-smp',
      '1',
      '-m',
      '3072',
    ],
    ['-uuid', '5a0e7f00-0022-4000-8000-000000000021', '-nodefaults', '-display', 'none', '-serial', 'stdio'],
    ['-device', 'virtio-rng-pci', '-no-reboot', ...(clock === undefined ? [] : ['-rtc', `base=${clock}`])],
    uefi ? ['-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd'] : [],
    uefi ? ['-drive', `if=pflash,format=raw,file=${variables}`] : [],
    as === 'usb' ? ['-device', 'qemu-xhci'] : [],
    hasMedium ? drive('medium', join(work, 'medium.iso'), 'readonly=on', `${boot},bootindex=1`) : [],
    installs ? drive('disk', join(work, 'disk'), 'cache=unsafe,discard=unmap', VIRTIO_DISK) : [],
    twoCards
      ? [
          '-netdev',
          'tap,id=other,ifname=other,script=no,downscript=no',
          ...card('other', '52:54:00:20:00:20'),
        ]
      : [],
    vlan === undefined
      ? ['-netdev', 'tap,id=net,ifname=port,script=no,downscript=no']
      : [
          '-netdev',
          'dgram,id=net,local.type=inet,local.host=127.0.0.1,local.port=5002,remote.type=inet,remote.host=127.0.0.1,remote.port=5001',
        ],
    card('net', MAC),
  ]
  return groups.flat()
}

/** The certificate of the server's boot files, of an authority of the operator's. */
async function webCertificate(work: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
  const openssl = (args: readonly string[]) => run('openssl', args, { limitSeconds: 30, cwd: work })
  await openssl([
    'req',
    '-x509',
    '-subj',
    '/CN=boot files',
    ...key,
    '-keyout',
    'web-ca.key',
    '-out',
    'web-ca.crt',
  ])
  const extensions = [
    '-addext',
    `subjectAltName=IP:${SERVER}`,
    '-addext',
    'basicConstraints=critical,CA:FALSE',
  ]
  const signer = ['-CA', 'web-ca.crt', '-CAkey', 'web-ca.key']
  await openssl([
    'req',
    '-x509',
    ...signer,
    '-subj',
    '/CN=server',
    ...extensions,
    ...key,
    '-keyout',
    'web.key',
    '-out',
    'web.crt',
  ])
}

const VIRTIO_DISK = 'virtio-blk-pci,serial=far1disk,bootindex=2'

function drive(id: string, file: string, options: string, device: string): string[] {
  return ['-drive', `file=${file},if=none,id=${id},format=raw,${options}`, '-device', `${device},drive=${id}`]
}

function card(id: string, mac: string): string[] {
  return ['-device', `virtio-net-pci,netdev=${id},mac=${mac},romfile=`]
}

/** Seconds since a reading of the monotonic clock, to a tenth. */
function since(from: number): number {
  return Math.round((performance.now() - from) / 100) / 10
}

function lastLine(file: string): string {
  return existsSync(file)
    ? (readFileSync(file, 'latin1').trimEnd().split('\n').at(-1) ?? '').slice(0, 200)
    : ''
}

if (import.meta.main) {
  const [path = '', ...words] = process.argv.slice(2)
  const until = words.includes('--config') ? 'config' : 'ready'
  const wanted = words.filter(word => word !== '--config')
  if (path === '') {
    console.error(
      `usage: test/medium/boots.ts RECORD.jsonl [--config] [CASE...]; cases: ${CASES.map(({ id }) => id).join(' ')}`,
    )
    process.exit(2)
  }
  const record = openRecord<MediumBoot>(path)
  const done = record.lines().map(line => line.case)
  const images = mkdtempSync(join(tmpdir(), 'pilotlight-medium-assets-'))
  try {
    await placeAssets(await buildImages(), images)
    for (const one of CASES) {
      if (done.includes(one.id) || (wanted.length > 0 && !wanted.includes(one.id))) continue
      console.error(`${one.id} ...`)
      const boot = await bootOne(one, images, until)
      console.error(`${one.id}: ${JSON.stringify(boot.seconds)}`)
      record.add(boot)
    }
  } finally {
    rmSync(images, { recursive: true, force: true })
  }
}
